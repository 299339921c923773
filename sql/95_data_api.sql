-- Settings of the Data API. They are stored on the role that PostgREST logs in as, where
-- `supabase db diff` does not see them.
do $$
declare
    v_present text;
begin
    select substring(c.entry from '^pgrst\.db_pre_request=(.+)$') into v_present
    from pg_catalog.pg_db_role_setting s
    cross join unnest(s.setconfig) c (entry)
    where s.setrole = 'authenticator'::regrole
        and s.setdatabase in (
            0, (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
        )
        and c.entry like 'pgrst.db_pre_request=_%'
    order by s.setdatabase desc
    limit 1;

    -- A project's own pre-request function stays; it has to call the guard.
    if v_present is not null and v_present <> 'tenancy.guard_request' then
        if not exists (
            select from pg_catalog.pg_proc p
            where p.oid = to_regproc(v_present) and p.prosrc ~ 'tenancy\.guard_request'
        ) then
            -- A push shows no hint of an error.
            raise exception 'This project already has a pre-request function, %. Add this line to it, then push again: perform tenancy.guard_request();', v_present;
        end if;
        return;
    end if;

    execute format(
        'alter role authenticator in database %I set pgrst.db_pre_request = %L',
        current_database(), 'tenancy.guard_request'
    );
end;
$$;

select tenancy.lock_exposure();
select tenancy.set_exposed_schemas(tenancy.exposed_schemas());
