create function tenancy.raise_busy()
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    raise exception 'Another request is changing the same data right now.'
        using errcode = 'PT503', detail = 'busy',
            hint = 'Nothing was changed. Try again in a second.';
end;
$$;

comment on function tenancy.raise_busy() is
    'Raises the error with which every RPC answers a deadlock, a lock wait that took too long, or a cancelled statement (PT503 busy). Without it, PostgREST would answer 500.';
