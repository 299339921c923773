-- A dump of a database has neither the settings of roles, so neither the guard nor the list of
-- exposed schemas, nor the revoked defaults: the functions of public come back with what the
-- default privileges of the project give them. And another server counts transactions anew.
create function tenancy.finish_restore()
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_rounds integer := 0;
    v_problem record;
    v_left text;
begin
    perform tenancy.lock_exposure();
    perform tenancy.set_exposed_schemas(array(
        select e.name
        from unnest(
            tenancy.exposed_schemas() || array(select t.schema_name from public.tenants t order by t.schema_name)
        ) with ordinality e (name, place)
        where exists (select from pg_catalog.pg_namespace n where n.nspname = e.name)
        group by e.name
        order by min(e.place)
    ));
    perform tenancy.set_cache_load_timeout();
    -- Only the heads of a restored audit log stay valid.
    update tenancy.audit_seal_runs
    set oldest_running = '0', last_entry_id = 0, horizon = '0'
    where true;
    execute (
        select string_agg(
            format('revoke execute on function %s from public, anon', to_regprocedure(s.signature)), '; '
        )
        from unnest(tenancy.rpc_signatures()) s (signature)
        where to_regprocedure(s.signature) is not null
    );

    -- A repair may depend on another one, as in the doctor.
    loop
        v_rounds := v_rounds + 1;
        v_left := null;
        for v_problem in
            select s.schema_name, f.kind, f.object, min(f.detail) as detail
            from (
                select null::text as schema_name
                union all
                select t.schema_name from public.tenants t
                union all
                select 'tenant_template'
            ) s
            cross join unnest(tenancy.findings(s.schema_name)) f
            where f.repair is not null and f.kind not like 'warning: %' and f.kind <> 'tenant without schema'
            group by s.schema_name, f.kind, f.object
        loop
            v_left := concat_ws(' ', v_left, v_problem.detail);
            if v_rounds <= 4 then
                perform tenancy.repair_findings(v_problem.schema_name, v_problem.kind, v_problem.object);
            end if;
        end loop;
        exit when v_left is null or v_rounds > 4;
    end loop;

    if v_left is not null then
        raise exception 'The restored database has problems, so nothing was restored: %', left(v_left, 2000)
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'Repair them in the database that was dumped, with tenantry doctor --fix, and dump it again.';
    end if;
end;
$$;

comment on function tenancy.finish_restore() is
    'The last statement of the transaction that restores a dump of the whole database: exposes the tenants, installs the guard, takes execute on the RPCs from anon, and repairs what the doctor would. Raises if a problem stays that has a repair (55000).';
