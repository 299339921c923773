create function tenancy.own_tables(schema_name text)
    returns setof tenancy.own_table
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    select c.relname::text, c.oid, c.relrowsecurity,
        exists (select from pg_catalog.pg_policy p where p.polrelid = c.oid),
        to_regprocedure(format('%I.%I()', schema_name, tenancy.audit_routine_name(c.relname::text))) is not null
            or exists (
                select from pg_catalog.pg_trigger g where g.tgrelid = c.oid and g.tgname = 'audit_insert'
            ),
        exists (
            select
            from public.tenants t
            join public.admin_audit_log l on l.tenant_id = t.id
            where t.schema_name = own_tables.schema_name
                and l.action = 'table.create'
                and l.details ->> 'table_name' = c.relname::text
        )
    from unnest(tenancy.table_oids(schema_name)) o (oid)
    join pg_catalog.pg_class c on c.oid = o.oid
    where schema_name <> 'tenant_template' and not tenancy.is_template_table(schema_name, c.relname::text);
end;
$$;

comment on function tenancy.own_tables(text) is
    'The tables of a tenant that are not in the template at its version.';
