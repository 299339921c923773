-- schema_objects takes an audit routine for right if its source is. This check also reads the
-- attributes that decide whose rights the routine has.
create function tenancy.check_audit_routines(
    schema_name text,
    differences tenancy.template_difference[],
    objects tenancy.schema_object[]
)
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    with audited as (
        select substr(d.expected, 8) as table_name, d.difference = 'missing' as is_missing
        from unnest(differences) d
        where d.object_kind = 'routine' and d.difference <> 'extra' and d.expected like 'audits %'
        union
        select c.relname::text, false
        from unnest(tenancy.table_oids(schema_name)) o (oid)
        join pg_catalog.pg_class c on c.oid = o.oid
        join pg_catalog.pg_proc p
            on p.oid = to_regprocedure(format('%I.%I()', schema_name, tenancy.audit_routine_name(c.relname::text)))
        where not exists (
                select
                from unnest(objects) r
                where r.object_kind = 'routine'
                    and r.object_name = p.proname || '()'
                    and r.definition = 'audits ' || c.relname
            )
            or not p.prosecdef
            or coalesce('search_path=""' <> all (p.proconfig), true)
            or p.proowner <> (select t.proowner from pg_catalog.pg_proc t where t.oid = 'tenancy.caller()'::regprocedure)
    )
    select
        'wrong routine',
        format('%s.%s()', schema_name, tenancy.audit_routine_name(a.table_name)),
        format(
            'The routine that audits %s.%s %s. The audit log may lack changes, or the table refuses writes.',
            schema_name, a.table_name, case when a.is_missing then 'is missing' else 'has another definition' end
        ),
        s.statements,
        s.statements
    from audited a
    cross join lateral tenancy.audit_table_statements(schema_name, a.table_name) s (statements)
    order by a.table_name;
end;
$$;

comment on function tenancy.check_audit_routines(text, tenancy.template_difference[], tenancy.schema_object[]) is
    'Check: trigger functions of the audit log that are missing, or differ from what audit_table creates.';
