-- The files of this folder hold every grant and revoke outside the tenants' schemas, by role.
-- Whatever is not granted here is refused. The default privileges of a hosted project depend on
-- its age, so each object is revoked by name from every role that they may have favoured.

-- Nobody may use tenancy, except for what a request runs as the caller's own role.

revoke all on schema tenancy, tenant_template from public, anon, authenticated, service_role;
revoke all on all tables in schema tenancy from public, anon, authenticated, service_role;
revoke all on all routines in schema tenancy from public, anon, authenticated, service_role;

-- The guard runs as the switched role, and calls the one function that knows the answer.
grant usage on schema tenancy to anon, authenticated, service_role;
grant execute on function
    tenancy.guard_request(),
    tenancy.require_access(text, public.access_level)
    to anon, authenticated, service_role;

-- Policies run as the role that queries.
grant execute on function
    tenancy.caller(),
    tenancy.has_access(text, public.access_level),
    tenancy.is_platform_staff(),
    tenancy.member_tenants(),
    tenancy.administered_tenants(),
    tenancy.administered_tenant_ids()
    to authenticated;
