-- `tenantry migrate` builds the index of a large table before the tenant has the version.
create function tenancy.require_no_leftover_index(migration tenancy.tenant_migrations, doing text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_tenants bigint;
    v_first text;
    v_statements text;
begin
    if migration.phase <> 'index' then
        return;
    end if;

    select count(*), min(t.schema_name),
        string_agg(format('drop index concurrently %I.%I;', t.schema_name, c.relname), ' ' order by t.schema_name)
    into v_tenants, v_first, v_statements
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join pg_catalog.pg_index i on i.indexrelid = c.oid
    join pg_catalog.pg_class r on r.oid = i.indrelid
    join public.tenants t on t.schema_name = n.nspname
    join tenancy.tenant_migrations m on m.version = t.schema_version
    where c.relname = tenancy.index_name(migration)
        and m.position = migration.position - 1
        and tenancy.is_template_table(t.schema_name, r.relname::text);
    if v_tenants > 0 then
        raise exception 'Tenant migration "%" cannot be % yet: `tenantry migrate` has built its index in %, such as "%", which would keep it without the migration. First run: %',
            migration.version, doing,
            case v_tenants when 1 then 'one tenant' else v_tenants || ' tenants' end, v_first,
            left(v_statements, 1000)
            using errcode = 'PT409', detail = 'migration_received',
                hint = 'Nothing was changed. Stop `tenantry migrate`, drop these indexes, and try again.';
    end if;
end;
$$;

comment on function tenancy.require_no_leftover_index(tenancy.tenant_migrations, text) is
    'Refuses to withdraw or replace a registered index that tenants without its version have already (PT409 migration_received), with the statements that drop it. Only under lock_tenant_migration.';
