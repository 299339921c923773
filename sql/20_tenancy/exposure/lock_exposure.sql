-- Last in the lock order: every creation and deletion of a tenant needs this lock, so its
-- holder must not wait for another one. Without the lock, two transactions that alter the
-- role setting fail with "tuple concurrently updated".
create function tenancy.lock_exposure()
    returns void
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '4s'
    language sql
as $$
    select pg_advisory_xact_lock(hashtextextended('tenancy.exposed_schemas', 0));
$$;

comment on function tenancy.lock_exposure() is
    'Lets one transaction at a time change the list of exposed schemas. Waits at most 4 s (55P03).';
