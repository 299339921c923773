-- Once the guard is installed, its setting hides that of the project. So install_guard writes
-- the project's into the comment of tenancy.pre_request(), unless the setting for all databases
-- still has it.
create function tenancy.find_pre_request(out function_name text, out setting text)
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_ours constant text[] := array['tenancy.guard_request', 'tenancy.pre_request'];
    v_here text;
    v_everywhere text;
    v_kept text;
begin
    select s.in_this_database, s.in_all_databases into v_here, v_everywhere
    from tenancy.pre_request_settings() s;
    v_kept := substring(
        obj_description(to_regprocedure('tenancy.pre_request()'), 'pg_proc')
        from '^Calls (.+), which the project has set for this database, and then the guard\.$'
    );

    if v_here <> all (v_ours) then
        function_name := v_here;
        setting := 'this database';
    elsif v_kept is not null then
        function_name := v_kept;
        setting := 'this database';
    elsif v_everywhere <> all (v_ours) then
        function_name := v_everywhere;
        setting := 'all databases';
    end if;

    if function_name = '' then
        function_name := null;
        setting := null;
    end if;
end;
$$;

comment on function tenancy.find_pre_request() is
    'The pre-request function of the project, and whether the project has set it for "this database" or for "all databases". Null if it has none.';
