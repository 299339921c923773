-- Last in the lock order: every creation and deletion of a tenant waits here, so whoever
-- holds it must have nothing left to wait for. Two transactions that alter one role setting
-- without it end in "tuple concurrently updated".
create function tenancy.lock_exposure()
    returns void
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '4s'
    language plpgsql
as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('tenancy.exposed_schemas', 0));
end;
$$;

comment on function tenancy.lock_exposure() is
    'Makes changes of the exposed schema list take turns, until the transaction ends. Waits at most 4 s (55P03).';
