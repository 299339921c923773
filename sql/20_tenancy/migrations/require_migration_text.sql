-- Most mistakes show in what a migration has done. These show only later: in a tenant, after the
-- commit, or when a routine is called.
create function tenancy.require_migration_text(migration tenancy.tenant_migrations)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_code constant text := tenancy.without_comments(migration.statements, even_in_bodies => true);
begin
    if migration.statements ~ '\mtenant_template\M' then
        raise exception 'Tenant migration % names the reference schema tenant_template. Leave names unqualified: the migration runs once in each tenant.', migration.version;
    end if;
    if v_code ~* '\mpg_(try_)?advisory_lock(_shared)?\s*\(' then
        raise exception 'Tenant migration % takes an advisory lock of the session, which outlives an error. Use pg_advisory_xact_lock, which ends with the transaction.', migration.version
            using errcode = 'feature_not_supported';
    end if;
    if v_code ~* '\mset_config\s*\(([^();]|\([^()]*\))*,\s*(is_local\s*=>\s*)?(false|''f(alse)?'')\s*(::\s*bool(ean)?\s*)?\)' then
        raise exception 'Tenant migration % sets a parameter for the session with set_config(…, false). Write true: other requests use the same session afterwards.', migration.version
            using errcode = 'feature_not_supported';
    end if;
    if v_code ~* '(^|;)\s*(un)?listen\s' then
        raise exception 'Tenant migration % listens to notifications, which belongs to the session of a client. Remove LISTEN and UNLISTEN from it.', migration.version
            using errcode = 'feature_not_supported';
    end if;
end;
$$;

comment on function tenancy.require_migration_text(tenancy.tenant_migrations) is
    'Refuses statements of a tenant migration whose harm would show only in a tenant, after the commit, or when a routine is called (0A000).';
