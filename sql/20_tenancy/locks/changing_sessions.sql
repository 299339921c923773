create function tenancy.changing_sessions(schema_name text)
    returns integer[]
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_key constant bigint := hashtextextended('tenancy.changing.' || schema_name, 0);
begin
    return array(
        select l.pid
        from pg_catalog.pg_locks l
        where l.locktype = 'advisory'
            and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
            -- A key of 64 bits is shown as two columns, and 1 in the third.
            and l.classid::bigint = v_key >> 32 & 4294967295
            and l.objid::bigint = v_key & 4294967295
            and l.objsubid = 1
            and l.pid <> pg_backend_pid()
    );
end;
$$;

comment on function tenancy.changing_sessions(text) is
    'The other sessions that hold lock_tenant on this tenant, or wait for it, by process id.';
