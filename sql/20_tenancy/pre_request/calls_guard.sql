create function tenancy.calls_guard(pre_request oid)
    returns boolean
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select exists (
        select
        from pg_catalog.pg_proc p
        where p.oid = pre_request
            -- The guard reads the schema of the request from search_path.
            and not exists (
                select from unnest(p.proconfig) c (entry) where starts_with(c.entry, 'search_path=')
            )
            and (
                p.prosrc like '%tenancy.guard\_request%'
                -- A body of standard SQL is not kept as text.
                or exists (
                    select
                    from pg_catalog.pg_depend d
                    where d.classid = 'pg_proc'::regclass
                        and d.objid = p.oid
                        and d.refclassid = 'pg_proc'::regclass
                        and d.refobjid = 'tenancy.guard_request(text, tenancy.access_level)'::regprocedure
                )
            )
    );
$$;

comment on function tenancy.calls_guard(oid) is
    'Whether a pre-request function of the project calls the guard itself, with the search_path of the request.';
