create function tenancy.raise_busy()
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- Not 503: PostgREST 12 takes every 503 for a lost connection, closes its pool and reloads its
    -- schema cache, so the callers of one locked tenant would make all tenants wait.
    raise exception 'Another request is changing the same data right now.'
        using errcode = 'PT429', detail = 'busy',
            hint = 'Nothing was changed. Try again in a second.';
end;
$$;

comment on function tenancy.raise_busy() is
    'Raises the error with which every RPC answers a deadlock, a lock wait that took too long, or a cancelled statement (PT429 busy; the functions answer 503 with Retry-After). Without it, PostgREST would answer 500.';
