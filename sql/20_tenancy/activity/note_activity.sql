-- Every audited statement calls this, so it does nearly always nothing: it writes at most once in
-- five minutes. It never waits, because its callers write in transactions of any length. If
-- another transaction is writing the same row, that transaction's time will do.
create function tenancy.note_activity(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_key constant bigint := hashtextextended('tenancy.changing.' || schema_name, 0);
begin
    if exists (
        select
        from tenancy.tenant_activity a
        where a.schema_name = note_activity.schema_name
            and a.last_activity_at > statement_timestamp() - interval '5 minutes'
    ) then
        return;
    end if;

    -- In a stricter isolation the write could fail, because another transaction has written the
    -- row since this one began.
    if current_setting('transaction_read_only')::boolean
        or current_setting('transaction_isolation') <> 'read committed'
    then
        return;
    end if;

    -- lock_tenant has this key. A transaction that holds it is an operation on the tenant, such
    -- as a tenant migration, and no activity of the tenant's people.
    if exists (
        select
        from pg_catalog.pg_locks l
        where l.pid = pg_backend_pid()
            and l.locktype = 'advisory'
            and l.classid::bigint = v_key >> 32 & 4294967295
            and l.objid::bigint = v_key & 4294967295
            and l.objsubid = 1
    ) then
        return;
    end if;

    if pg_try_advisory_xact_lock(hashtextextended('tenancy.activity.' || schema_name, 0)) then
        insert into tenancy.tenant_activity as a (schema_name, last_activity_at)
        values (note_activity.schema_name, statement_timestamp())
        on conflict on constraint tenant_activity_pkey do update
        set last_activity_at = excluded.last_activity_at;
    end if;
end;
$$;

comment on function tenancy.note_activity(text) is
    'Notes that the tenant is in use, if that was not noted in the last five minutes. Never waits, and does nothing within an operation under lock_tenant, in a read-only transaction, and in one stricter than read committed.';
