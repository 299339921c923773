-- A migration runs in a session of PostgREST, too, which serves other requests afterwards.
create function tenancy.require_clean_session(
    migration tenancy.tenant_migrations,
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

comment on function tenancy.require_clean_session(tenancy.tenant_migrations, text[], text[]) is
    'Refuses a tenant migration that has left advisory locks, prepared statements, cursors or temporary objects in the session (55000).';
