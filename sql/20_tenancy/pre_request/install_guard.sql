create function tenancy.install_guard()
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_name text;
    v_setting text;
    v_function oid;
    v_excluded text;
    v_unset text;
    v_installed text := 'tenancy.guard_request';
begin
    -- Two transactions that alter a role fail with "tuple concurrently updated".
    perform tenancy.lock_exposure();
    select f.function_name, f.setting into v_name, v_setting from tenancy.find_pre_request() f;

    if v_name is null then
        v_unset := tenancy.unset_pre_request();
        if v_unset is not null then
            raise warning 'The Data API does not call % any more, because the role authenticator has no setting for it. To have it called again: alter role authenticator set pgrst.db_pre_request = %; select tenancy.install_guard();',
                v_unset, quote_literal(v_unset);
        end if;
        if to_regprocedure('tenancy.pre_request()') is not null then
            drop function tenancy.pre_request();
        end if;
    else
        v_function := tenancy.resolve_pre_request(v_name);
        -- A push shows no hint of an error.
        if v_function is null then
            raise exception 'The pre-request function of this project, %, does not exist, so the Data API can answer no request. Create it, or remove its setting from the role authenticator, then try again.',
                v_name using errcode = 'undefined_function';
        end if;

        select string_agg(r.name, ' and ' order by r.name) into v_excluded
        from unnest(array['anon', 'authenticated', 'service_role']) r (name)
        join pg_catalog.pg_proc p on p.oid = v_function
        where not has_function_privilege(r.name, p.oid, 'execute')
            or not has_schema_privilege(r.name, p.pronamespace, 'usage');
        if v_excluded is not null then
            raise warning 'The pre-request function of this project, %, cannot be executed by %. The Data API refuses every request of such a caller. To change that, grant execute on the function and usage on its schema.',
                v_name, v_excluded;
        end if;

        if tenancy.calls_guard(v_function) and v_name = (
            select coalesce(s.in_this_database, s.in_all_databases) from tenancy.pre_request_settings() s
        ) then
            perform tenancy.grant_guard();
            return;
        end if;

        execute format(
            'create or replace function tenancy.pre_request() returns void '
            'volatile security invoker language plpgsql as %L',
            tenancy.pre_request_source(v_function)
        );
        execute format(
            'comment on function tenancy.pre_request() is %L',
            format('Calls %s, which the project has set for %s, and then the guard.', v_name, v_setting)
        );
        revoke all on function tenancy.pre_request() from public, anon, authenticated, service_role;
        grant execute on function tenancy.pre_request() to anon, authenticated, service_role;
        v_installed := 'tenancy.pre_request';
    end if;

    perform tenancy.grant_guard();
    execute format(
        'alter role authenticator in database %I set pgrst.db_pre_request = %L',
        current_database(), v_installed
    );
    perform pg_notify('pgrst', 'reload config');
end;
$$;

comment on function tenancy.install_guard() is
    'Has the Data API call the guard before each request. If the project has a pre-request function, the Data API calls tenancy.pre_request(), which this function makes: it calls the project''s function and then the guard. API roles of the project may execute the guard. A repeat changes nothing. If the project''s function is missing, raises 42883. If the project shall have none any more: drop function tenancy.pre_request(), then call this function.';
