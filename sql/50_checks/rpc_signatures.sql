-- Written by `tenantry generate` from sql/30_rpc: edit the RPCs, then run it again.
create function tenancy.rpc_signatures()
    returns text[]
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    select array[
        'public.accept_invitation(text)',
        'public.add_tenant_domain(text, text, tenancy.access_level)',
        'public.decline_invitation(text)',
        'public.define_role(text, text, text[], text)',
        'public.drop_role(text, text)',
        'public.grant_schema_access(text, uuid, tenancy.access_level, timestamp with time zone, text[])',
        'public.invite_member(text, text, tenancy.access_level, timestamp with time zone)',
        'public.join_tenant(text)',
        'public.leave_tenant(text)',
        'public.list_invitations(text, integer, text)',
        'public.list_joinable_tenants(integer, text)',
        'public.list_members(text, text, text, integer, text)',
        'public.list_roles(text)',
        'public.list_tenant_domains(text)',
        'public.promote_to_admin(uuid, tenancy.platform_role)',
        'public.remove_tenant_domain(text, text)',
        'public.revoke_admin(uuid)',
        'public.revoke_invitation(text, uuid)',
        'public.revoke_schema_access(text, uuid)',
        'public.transfer_admin(text, uuid)',
        'public.verify_tenant_domain(text, text, text[])',
        'public.get_admin_audit_log(text, uuid, text, timestamp with time zone, timestamp with time zone, bigint, integer)',
        'public.get_audit_log(text, uuid, text, text, jsonb, timestamp with time zone, timestamp with time zone, bigint, integer)',
        'public.prune_audit_log(text, timestamp with time zone)',
        'public.redact_audit_log(text, uuid)',
        'public.seal_audit_log(text)',
        'public.verify_audit_log(text, text)',
        'public.add_column(text, text, text, text, boolean, jsonb, text, boolean)',
        'public.add_foreign_key(text, text, text, text, text, text, text)',
        'public.create_table(text, text, jsonb, text)',
        'public.drop_column(text, text, text)',
        'public.drop_foreign_key(text, text, text)',
        'public.drop_table(text, text)',
        'public.get_schema_summary(text)',
        'public.get_schema_tables(text)',
        'public.get_table_columns(text, text)',
        'public.get_table_foreign_keys(text, text)',
        'public.activate_tenant(text)',
        'public.create_tenant_schema(text, text)',
        'public.delete_tenant_schema(text)',
        'public.get_tenant_pool()',
        'public.refill_tenant_pool()',
        'public.register_tenant_schema(text, text)',
        'public.rename_tenant(text, text)',
        'public.suspend_tenant(text, text)',
        'public.get_database_release()',
        'public.get_migration_status()',
        'public.get_schema_drift(text, integer, text, text)',
        'public.list_tenant_drift(text, integer)',
        'public.list_tenants_behind(text, integer)',
        'public.migrate_tenant(text)',
        'public.replace_tenant_migration(text, text)',
        'public.withdraw_tenant_migration(text)',
        'public.check_tenant_status(text)',
        'public.get_platform_health()',
        'public.get_tenant_info(text)',
        'public.list_my_tenants(integer, text)',
        'public.list_tenants(text, tenancy.tenant_status, text, integer, text)',
        'public.create_user_profile(text, uuid, text, text, jsonb)',
        'public.ensure_user_profile(text, text)',
        'public.get_user_profile(text, uuid)',
        'public.refresh_user_emails(text)',
        'public.update_user_profile(text, text, jsonb)'
    ];
$$;

comment on function tenancy.rpc_signatures() is
    'The RPCs with their argument types. Every other routine in public belongs to the project.';
