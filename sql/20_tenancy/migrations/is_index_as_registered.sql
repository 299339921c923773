create function tenancy.is_index_as_registered(
    schema_name text,
    migration tenancy.tenant_migrations,
    found_index pg_catalog.pg_index
)
    returns boolean
    stable
    security invoker
    set search_path = ''
    -- The same as of schema_objects, which has written the expected text.
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set extra_float_digits = 1
    set bytea_output = 'hex'
    set lc_monetary = 'C'
    set quote_all_identifiers = off
    language plpgsql
as $$
declare
    v_table constant text := (select c.relname::text from pg_catalog.pg_class c where c.oid = found_index.indrelid);
begin
    -- What the tenant has of its own is reported and not dropped.
    if not tenancy.is_template_table(schema_name, v_table)
        or exists (select from pg_catalog.pg_constraint k where k.conindid = found_index.indexrelid)
    then
        return true;
    end if;

    return found_index.indisvalid and not exists (
        select
        from tenancy.template_objects(schema_name, migration.version) e
        where e.object_kind = 'index'
            and e.object_name = e.table_name || '.' || tenancy.index_name(migration)
            and e.definition <> pg_get_indexdef(found_index.indexrelid)
    );
end;
$$;

comment on function tenancy.is_index_as_registered(text, tenancy.tenant_migrations, pg_catalog.pg_index) is
    'Whether this index in a tenant is the one of a registered index: false for an invalid one, and for one that was built for an earlier text. True for an index of a table or constraint of the tenant''s own, which require_template reports.';
