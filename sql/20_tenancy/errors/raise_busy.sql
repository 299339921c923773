create function tenancy.raise_busy()
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    raise exception 'Somebody else is changing the same thing right now.'
        using errcode = 'PT503', detail = 'busy',
            hint = 'Nothing was changed. Try again in a second.';
end;
$$;

comment on function tenancy.raise_busy() is
    'What an RPC answers to a deadlock, an over-long wait for a lock and a cancelled statement (PT503 busy); raw, PostgREST would make them a 500.';
