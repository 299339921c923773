create function tenancy.check_guard()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    with installed as (
        select (
            select nullif(substr(c.entry, length('pgrst.db_pre_request=') + 1), '')
            from pg_catalog.pg_db_role_setting s
            cross join unnest(s.setconfig) c (entry)
            where s.setrole = 'authenticator'::regrole
                and s.setdatabase in (
                    0, (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
                )
                and starts_with(c.entry, 'pgrst.db_pre_request=')
            order by s.setdatabase desc
            limit 1
        ) as name
    )
    select
        case when i.name is null then 'guard not installed' else 'guard not called' end,
        coalesce(i.name, 'tenancy.guard_request'),
        case
            when i.name is null then 'The guard is not installed. The Data API runs no function before a request.'
            else format('The pre-request function is %s, which does not call the guard.', i.name)
        end,
        case when i.name is null then r.statements else 'Add this line to it: perform tenancy.guard_request();' end,
        case when i.name is null then r.statements end
    from installed i
    cross join lateral format(
        'alter role authenticator in database %I set pgrst.db_pre_request = %L; notify pgrst, ''reload config'';',
        current_database(), 'tenancy.guard_request'
    ) r (statements)
    where i.name is distinct from 'tenancy.guard_request'
        and not exists (
            select
            from pg_catalog.pg_proc p
            where p.oid = to_regproc(i.name)
                and (
                    p.prosrc like '%tenancy.guard\_request%'
                    -- A body of standard SQL is not kept as text.
                    or exists (
                        select
                        from pg_catalog.pg_depend d
                        where d.classid = 'pg_proc'::regclass
                            and d.objid = p.oid
                            and d.refclassid = 'pg_proc'::regclass
                            and d.refobjid = 'tenancy.guard_request()'::regprocedure
                    )
                )
        );
$$;

comment on function tenancy.check_guard() is
    'Check: the guard is installed as the pre-request function of the Data API, or called by that function.';
