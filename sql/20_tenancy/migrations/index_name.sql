create function tenancy.index_name(migration tenancy.tenant_migrations)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_text constant text := tenancy.single_statement(migration.statements);
    v_name constant text := substring(
        v_text from '(?i)^\s*create\s+(?:unique\s+)?index\s+("[^"]+"|[a-z_][a-z0-9_$]*)\s+on\s'
    );
begin
    if v_name is null or v_text ~ ';' then
        raise exception 'Tenant migration % must be one statement: create [unique] index <name> on <table> (…). Without CONCURRENTLY, which `tenantry migrate` adds for large tables, and without IF NOT EXISTS.', migration.version
            using errcode = 'feature_not_supported';
    end if;

    return (parse_ident(v_name))[1];
end;
$$;

comment on function tenancy.index_name(tenancy.tenant_migrations) is
    'The name of the index that a registered index creates. Refuses another statement (0A000).';
