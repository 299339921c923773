-- A migration runs in a session of PostgREST, too, which serves other requests afterwards.
create function tenancy.require_clean_session(
    migration tenancy.tenant_migrations,
    parameters_before jsonb,
    leftovers_before text[],
    locks_before text[]
)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_locks constant text[] := tenancy.release_session_locks(locks_before);
    v_leftovers_now constant text[] := tenancy.session_leftovers();
    v_problem text;
begin
    -- A library, such as that of pgvector, defines its parameters when a session first uses it.
    select string_agg(s.key, ', ' order by s.key) into v_problem
    from jsonb_each_text(tenancy.session_parameters(migration.statements)) s
    left join pg_catalog.pg_settings p on p.name = s.key
    where case
        when parameters_before ? s.key then s.value is distinct from parameters_before ->> s.key
        else p.source = 'session'
    end
        -- A library has taken over a name that the text contains.
        and (p.name is null or p.source = 'session' or parameters_before ->> s.key <> '');
    if v_problem is not null then
        raise exception 'Tenant migration % leaves parameters changed: %. Remove SET and set_config from it, or set the old value at its end: other requests use the same session afterwards.', migration.version, v_problem
            using errcode = 'object_not_in_prerequisite_state';
    end if;

    if cardinality(v_locks) > 0 then
        raise exception 'Tenant migration % keeps the advisory lock %, which belongs to the session. Use pg_advisory_xact_lock: other requests use the same session afterwards.', migration.version, array_to_string(v_locks, ', ')
            using errcode = 'object_not_in_prerequisite_state';
    end if;

    select string_agg(distinct l.name, ', ') into v_problem
    from unnest(v_leftovers_now) l (name)
    where l.name <> all (leftovers_before);
    if v_problem is not null then
        raise exception 'Tenant migration % leaves in the session: %. Drop, deallocate or close it at the end of the migration: other tenants are migrated in the same session.', migration.version, v_problem
            using errcode = 'object_not_in_prerequisite_state';
    end if;
end;
$$;

comment on function tenancy.require_clean_session(tenancy.tenant_migrations, jsonb, text[], text[]) is
    'Refuses a tenant migration that has left parameters, advisory locks, prepared statements, cursors or temporary objects in the session (55000).';
