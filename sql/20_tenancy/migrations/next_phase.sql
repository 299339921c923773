-- Only a session of the database can build an index without CREATE INDEX blocking writers, and
-- can give a migration more time than the Data API does.
create function tenancy.next_phase(
    schema_name text,
    out version text,
    out phase tenancy.migration_phase,
    out limit_seconds integer,
    out search_path text,
    out build_index text,
    out drop_index text
)
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_migration tenancy.tenant_migrations;
    v_index pg_catalog.pg_index;
    v_table text;
begin
    select m.* into v_migration
    from public.tenants t
    join tenancy.tenant_migrations c on c.version = t.schema_version
    join tenancy.tenant_migrations m on m.position = c.position + 1
    where t.schema_name = next_phase.schema_name;
    version := v_migration.version;
    phase := v_migration.phase;
    limit_seconds := v_migration.limit_seconds;
    search_path := tenancy.tenant_search_path(schema_name);
    if phase is distinct from 'index' then
        return;
    end if;

    v_index := tenancy.find_index(schema_name, tenancy.index_name(v_migration));
    if v_index.indexrelid is not null then
        if tenancy.is_index_as_registered(schema_name, v_migration, v_index) then
            return;
        end if;
        drop_index := format('drop index concurrently %s', v_index.indexrelid::regclass);
    end if;
    select o.table_name into v_table
    from tenancy.tenant_template_objects o
    where o.version = v_migration.version
        and o.object_kind = 'index'
        and o.object_name = o.table_name || '.' || tenancy.index_name(v_migration);
    -- The index of a small table is built in less time than it would wait for other transactions.
    if pg_relation_size(tenancy.find_table(schema_name, v_table)::regclass) < 16 * 1024 * 1024 then
        return;
    end if;
    build_index := regexp_replace(
        tenancy.single_statement(v_migration.statements), '\mindex\M', 'index concurrently', 'i'
    );
end;
$$;

comment on function tenancy.next_phase(text) is
    'What a tenant receives next; null if nothing. Of an index of a large table that is not there yet: the statement that builds it without blocking writers, for this search_path, and the one that drops what an interrupted build or an earlier text has left.';
