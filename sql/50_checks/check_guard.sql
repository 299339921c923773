create function tenancy.check_guard()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    with found as (
        select
            coalesce(s.in_this_database, s.in_all_databases) as installed,
            f.function_name,
            tenancy.resolve_pre_request(coalesce(f.function_name, l.name)) as pre_request,
            l.name as unset_name,
            format(
                'To keep it: alter role authenticator set pgrst.db_pre_request = %L; select tenancy.install_guard();',
                l.name
            ) as keeping
        from tenancy.pre_request_settings() s
        cross join tenancy.find_pre_request() f
        cross join tenancy.unset_pre_request() l (name)
    ),
    judged as (
        select
            f.*,
            coalesce(f.installed, '') = '' as is_bare,
            f.installed = f.function_name and tenancy.calls_guard(f.pre_request) as calls_guard,
            exists (
                select
                from pg_catalog.pg_proc p
                where p.oid = to_regprocedure('tenancy.pre_request()')
                    and p.prosrc = tenancy.pre_request_source(f.pre_request)
                    and p.prolang = (select l.oid from pg_catalog.pg_language l where l.lanname = 'plpgsql')
                    and not p.prosecdef
                    and p.proconfig is null
            ) as is_as_made
        from found f
    )
    select
        'pre-request function missing',
        j.function_name,
        format('The project has set the pre-request function %s, which does not exist.', j.function_name),
        'Create it again. If the project needs none any more, remove the setting pgrst.db_pre_request from the role authenticator, then: drop function if exists tenancy.pre_request(); select tenancy.install_guard();',
        null
    from judged j
    where j.function_name is not null and j.pre_request is null and not j.is_bare
    union all
    -- A person decides: the installation of the guard removes the call of the function.
    select
        'pre-request function without setting',
        j.unset_name,
        format(
            'The role authenticator has no setting for the pre-request function %s of the project any more. %s',
            j.unset_name,
            case
                when j.is_as_made then format('tenancy.pre_request() still calls %s and the guard.', j.unset_name)
                else 'The function tenancy.pre_request() is not the one that tenancy.install_guard() makes.'
            end
        ),
        format('%s If the project does not need it: select tenancy.install_guard();', j.keeping),
        null
    from judged j
    where j.installed = 'tenancy.pre_request' and j.unset_name is not null
    union all
    select v.kind, v.object, v.detail, 'select tenancy.install_guard();', 'select tenancy.install_guard();'
    from judged j
    cross join lateral (
        select
            'guard not installed' as kind,
            'tenancy.guard_request' as object,
            concat(
                'The guard is not installed. The Data API runs no function before a request.',
                format(' So the function %s of the project is not called. ', j.unset_name) || j.keeping
            ) as detail
        where j.is_bare
        union all
        select
            'guard not called', j.function_name,
            format('The pre-request function is %s, which does not call the guard.', j.function_name)
        where j.installed = j.function_name and j.pre_request is not null and not j.calls_guard
        union all
        select
            'guard not called', 'tenancy.pre_request',
            format(
                'The function tenancy.pre_request() is not the one that tenancy.install_guard() makes%s.',
                ' for the pre-request function ' || j.function_name || ' of the project'
            )
        where j.installed = 'tenancy.pre_request' and not j.is_as_made and j.unset_name is null
            and (j.function_name is null or j.pre_request is not null)
        union all
        select
            'pre-request function not called', j.function_name,
            format('The pre-request function %s of the project is not called.', j.function_name)
        where j.installed = 'tenancy.guard_request' and j.function_name is not null and j.pre_request is not null
    ) v;
$$;

comment on function tenancy.check_guard() is
    'Check: the Data API calls the pre-request function of the project, if there is one, and the guard.';
