-- The files of this folder hold every grant and revoke outside the tenants' schemas, by role.
-- Everything that is not granted here is refused. The default privileges of a hosted project
-- depend on its age, so all privileges are revoked by name from every role that may have them.

-- API roles may use nothing in tenancy, except the functions that a request runs with the role
-- of its caller.

revoke all on schema tenancy, tenant_template from public, anon, authenticated, service_role;
revoke all on all tables in schema tenancy from public, anon, authenticated, service_role;
revoke all on all sequences in schema tenancy from public, anon, authenticated, service_role;
revoke all on all routines in schema tenancy from public, anon, authenticated, service_role;

-- PostgREST calls the guard with the role of the request.
grant usage on schema tenancy to anon, authenticated, service_role;
grant execute on function tenancy.guard_request(text, tenancy.access_level)
    to anon, authenticated, service_role;

-- Policies run with the role of the request, too.
grant select on tenancy.open_tenants to authenticated;
grant execute on function
    tenancy.caller(),
    tenancy.is_platform_staff(),
    tenancy.member_tenants(),
    tenancy.administered_tenants(),
    tenancy.administered_tenant_ids()
    to authenticated;

-- Routines of the project that run with their caller's rights ask it, too.
grant execute on function tenancy.has_permission(text, text) to authenticated, service_role;
