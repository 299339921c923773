create function tenancy.check_registry()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        'tenant without schema',
        t.schema_name,
        format('Tenant %s is registered, but its schema does not exist.', t.schema_name),
        'Restore the schema from a backup; or run the doctor with --fix --forget-missing, which deletes the '
        'registry row, the access grants and the audit seals of the tenant for good.',
        format('select tenancy.forget_missing_tenant(%L);', t.schema_name)
    from public.tenants t
    where not exists (select from pg_catalog.pg_namespace n where n.nspname = t.schema_name)
    union all
    select distinct
        'schema without tenant',
        n.nspname::text,
        format('The schema %s has the tables of a tenant, but it is not registered.', n.nspname),
        'Run the doctor with --fix, which registers the schema as a suspended tenant. Then inspect the tenant, '
        'and activate or delete it.',
        format('select tenancy.register_found_schema(%L);', n.nspname)
    from pg_catalog.pg_trigger g
    join pg_catalog.pg_class c on c.oid = g.tgrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where g.tgfoid = 'tenancy.tg_settings__stamp'::regproc
        and n.nspname <> 'tenant_template'
        and not exists (select from public.tenants t where t.schema_name = n.nspname)
    union all
    select
        'reference schema missing',
        'tenant_template',
        'The reference schema tenant_template does not exist. No tenant migration can be registered.',
        'Restore it from a backup, or from the migrations: replay those of tenancy.tenant_migrations in a new '
        'project and dump the schema there.',
        null::text
    where to_regnamespace('tenant_template') is null
    order by 1, 2;
$$;

comment on function tenancy.check_registry() is
    'Check: tenants, or the reference schema, whose schema is missing, and schemas that were created as a tenant and have no registry row.';
