create function tenancy.way_to_write(schema_name text, table_name text, verb text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    select w.way
    from (
        values
            ('tenants', 'insert', 'Call create_tenant_schema.'),
            ('tenants', 'update', 'Call suspend_tenant, activate_tenant or another operation of schema-management.'),
            ('tenants', 'delete', 'Call delete_tenant_schema, after suspend_tenant.'),
            ('user_schema_access', 'insert', 'Call grant_schema_access, or as platform staff open_support_access.'),
            ('user_schema_access', 'update', 'Call grant_schema_access.'),
            ('user_schema_access', 'delete', 'Call revoke_schema_access.'),
            ('admin_users', 'insert', 'Call promote_to_admin.'),
            ('admin_users', 'update', 'Call promote_to_admin.'),
            ('admin_users', 'delete', 'Call revoke_admin.'),
            ('admin_audit_log', 'insert', 'Each operation writes its own entry.'),
            ('admin_audit_log', 'update', 'Entries are never changed.'),
            ('admin_audit_log', 'delete', 'Call prune_audit_log for entries past their retention.'),
            ('users', 'insert', 'Call ensure_user_profile for your own profile, or create_user_profile for another user''s.'),
            ('users', 'update', 'Call update_user_profile for your own profile.'),
            ('users', 'delete', 'A profile stays. Call revoke_schema_access to end a user''s access.'),
            ('audit_log', 'insert', 'Triggers write an entry for each change of a row.'),
            ('audit_log', 'update', 'Entries are never changed. Call redact_audit_log to remove the values of a profile.'),
            ('audit_log', 'delete', 'Call prune_audit_log for entries past their retention.')
    ) w (relation, command, way)
    where w.relation = table_name
        and w.command = verb
        and (schema_name = 'public') = (w.relation not in ('users', 'audit_log'));
$$;

comment on function tenancy.way_to_write(text, text, text) is
    'Which call inserts into, updates or deletes from a table that no request can write, as a sentence; null for tables other than those of Tenantry.';
