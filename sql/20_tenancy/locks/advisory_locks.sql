create function tenancy.advisory_locks()
    returns text[]
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select array(
        select format('%s %s %s %s', l.classid, l.objid, l.objsubid, l.mode)
        from pg_catalog.pg_locks l
        where l.pid = pg_backend_pid() and l.locktype = 'advisory' and l.granted
    );
$$;

comment on function tenancy.advisory_locks() is 'The advisory locks that this session and its transaction hold.';
