-- Every grant and revoke outside the tenants' schemas, by role. What is not granted here is
-- refused: the default privileges of a hosted project differ by its age, so each object is
-- revoked by name from whoever they may have favoured.

-- tenancy: nothing for anybody, but for what a request runs as the caller's own role. ------

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

-- public: read through policies, write through RPCs. No insert, update or delete is granted
-- to anybody, the service key included: a registry row without its schema, or an audit entry
-- nobody earned, could then be made by hand.

revoke all on table
    public.tenants,
    public.admin_users,
    public.user_schema_access,
    public.admin_audit_log
    from public, anon, authenticated, service_role;
revoke all on sequence public.admin_audit_log_id_seq from public, anon, authenticated, service_role;

grant select on table
    public.tenants,
    public.admin_users,
    public.user_schema_access,
    public.admin_audit_log
    to authenticated, service_role;

-- The RPCs decide for themselves what the caller may do; nobody anonymous gets that far.

revoke all on function
    public.grant_schema_access(text, uuid, public.access_level, timestamptz),
    public.promote_to_admin(uuid, public.platform_role),
    public.revoke_admin(uuid),
    public.revoke_schema_access(text, uuid),
    public.get_admin_audit_log(text, uuid, text, timestamptz, timestamptz, bigint, integer),
    public.get_audit_log(text, uuid, text, text, jsonb, timestamptz, timestamptz, bigint, integer),
    public.prune_audit_log(text, timestamptz),
    public.redact_audit_log(text, uuid),
    public.seal_audit_log(text),
    public.verify_audit_log(text, text),
    public.add_column(text, text, text, text, boolean, jsonb, text),
    public.add_foreign_key(text, text, text, text, text, text, text),
    public.create_table(text, text, jsonb, text),
    public.drop_column(text, text, text),
    public.drop_foreign_key(text, text, text),
    public.drop_table(text, text),
    public.get_schema_summary(text),
    public.get_schema_tables(text),
    public.get_table_columns(text, text),
    public.get_table_foreign_keys(text, text),
    public.activate_tenant(text),
    public.create_tenant_schema(text, text),
    public.delete_tenant_schema(text),
    public.rename_tenant(text, text),
    public.suspend_tenant(text, text),
    public.get_migration_status(),
    public.get_schema_drift(text),
    public.list_tenants_behind(text, integer),
    public.migrate_tenant(text),
    public.check_tenant_status(text),
    public.get_tenant_info(text),
    public.list_my_tenants(),
    public.create_user_profile(text, uuid, text, text, jsonb),
    public.ensure_user_profile(text, text),
    public.get_user_profile(text, uuid),
    public.update_user_profile(text, text, jsonb)
    from public, anon, authenticated, service_role;

grant execute on function
    public.grant_schema_access(text, uuid, public.access_level, timestamptz),
    public.promote_to_admin(uuid, public.platform_role),
    public.revoke_admin(uuid),
    public.revoke_schema_access(text, uuid),
    public.get_admin_audit_log(text, uuid, text, timestamptz, timestamptz, bigint, integer),
    public.get_audit_log(text, uuid, text, text, jsonb, timestamptz, timestamptz, bigint, integer),
    public.prune_audit_log(text, timestamptz),
    public.redact_audit_log(text, uuid),
    public.seal_audit_log(text),
    public.verify_audit_log(text, text),
    public.add_column(text, text, text, text, boolean, jsonb, text),
    public.add_foreign_key(text, text, text, text, text, text, text),
    public.create_table(text, text, jsonb, text),
    public.drop_column(text, text, text),
    public.drop_foreign_key(text, text, text),
    public.drop_table(text, text),
    public.get_schema_summary(text),
    public.get_schema_tables(text),
    public.get_table_columns(text, text),
    public.get_table_foreign_keys(text, text),
    public.activate_tenant(text),
    public.create_tenant_schema(text, text),
    public.delete_tenant_schema(text),
    public.rename_tenant(text, text),
    public.suspend_tenant(text, text),
    public.get_migration_status(),
    public.get_schema_drift(text),
    public.list_tenants_behind(text, integer),
    public.migrate_tenant(text),
    public.check_tenant_status(text),
    public.get_tenant_info(text),
    public.list_my_tenants(),
    public.create_user_profile(text, uuid, text, text, jsonb),
    public.ensure_user_profile(text, text),
    public.get_user_profile(text, uuid),
    public.update_user_profile(text, text, jsonb)
    to authenticated, service_role;
