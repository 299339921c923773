create function tenancy.index_name(migration tenancy.tenant_migrations)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_statements constant text[] := tenancy.split_statements(migration.statements);
    v_name constant text := substring(
        v_statements[1]
        from '(?i)^create\s+(?:unique\s+)?index\s+("(?:[^"]|"")+"|(?:[a-z_]|[^\u0001-\u007f])(?:[a-z0-9_$]|[^\u0001-\u007f])*)\s+on\s'
    );
    v_index text;
begin
    if v_name is null or cardinality(v_statements) <> 1 then
        raise exception 'Tenant migration % must be one statement: create [unique] index <name> on <table> (…). Without CONCURRENTLY, which `tenantry migrate` adds for large tables, and without IF NOT EXISTS.', migration.version
            using errcode = 'feature_not_supported';
    end if;
    v_index := (parse_ident(v_name))[1];
    -- PostgreSQL would cut it off, and nobody would find the index by the name that is written here.
    if octet_length(v_index) > 63 then
        raise exception 'Tenant migration % gives its index a name of % bytes, "%". PostgreSQL keeps 63: write a shorter name.',
            migration.version, octet_length(v_index), v_index
            using errcode = 'name_too_long';
    end if;

    return v_index;
end;
$$;

comment on function tenancy.index_name(tenancy.tenant_migrations) is
    'The name of the index that a registered index creates. Refuses another statement (0A000), and a name that is too long (42622).';
