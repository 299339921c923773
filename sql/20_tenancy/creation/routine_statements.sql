-- PostgreSQL finds a function by its name among those of all tenants. So the routine has the
-- schema's name, which is unique, until the statements that name it are done.
create function tenancy.routine_statements(routine oid)
    returns text
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select concat_ws(
        E'\n',
        format(
            'create %s %s(%s;',
            p.keyword, p.name_now, substr(p.definition, length(p.beginning) + 1)
        ),
        -- The text names them as the trigger's definition does.
        (
            select string_agg(
                replace(
                    pg_get_triggerdef(g.oid),
                    format('EXECUTE FUNCTION %s(', p.name), format('EXECUTE FUNCTION %s(', p.name_now)
                ) || ';',
                E'\n' order by g.tgrelid::regclass::text, g.tgname
            )
            from pg_catalog.pg_trigger g
            where g.tgfoid = p.oid and not g.tgisinternal
        ),
        (
            select format('comment on %s %s is %L;', p.keyword, p.name_now, d.description)
            from pg_catalog.pg_description d
            where d.classoid = 'pg_proc'::regclass and d.objoid = p.oid
        ),
        format('revoke all on %s %s from public, anon, authenticated, service_role;', p.keyword, p.name_now),
        format('alter %s %s rename to %I;', p.keyword, p.name_now, p.proname)
    )
    from (
        select r.*, n.keyword, format('%I.%I', s.nspname, r.proname) as name,
            format('%1$I.%1$I', s.nspname) as name_now,
            pg_get_functiondef(r.oid) as definition,
            format('CREATE OR REPLACE %s %I.%I(', upper(n.keyword), s.nspname, r.proname) as beginning
        from pg_catalog.pg_proc r
        join pg_catalog.pg_namespace s on s.oid = r.pronamespace
        cross join lateral (select case r.prokind when 'p' then 'procedure' else 'function' end as keyword) n
        where r.oid = routine
    ) p
    where starts_with(p.definition, p.beginning);
$$;

comment on function tenancy.routine_statements(oid) is
    'The statements that create a function or procedure and the triggers that call it, without a privilege for the API roles. Null if its definition has an unknown form.';
