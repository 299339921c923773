create function tenancy.record_failed_migration(schema_name text, version text, code text, message text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language sql
as $$
    insert into tenancy.unfinished_migrations as u
        (schema_name, version, sqlstate, message, stuck_since, failed_at, attempts)
    values (schema_name, version, code, message, clock_timestamp(), clock_timestamp(), 1)
    on conflict on constraint unfinished_migrations_pkey do update
    set version = excluded.version,
        sqlstate = excluded.sqlstate,
        message = excluded.message,
        stuck_since = case when u.version = excluded.version then u.stuck_since else excluded.stuck_since end,
        failed_at = excluded.failed_at,
        attempts = case when u.version = excluded.version then u.attempts + 1 else 1 end;
$$;

comment on function tenancy.record_failed_migration(text, text, text, text) is
    'Records that the next migration of a tenant has failed and was rolled back: the tenant is stuck. Only under lock_tenant.';
