create function tenancy.reload_schema_cache()
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- The empty payload: it does not merge with what an event trigger may have sent.
    perform pg_notify('pgrst', '');
end;
$$;

comment on function tenancy.reload_schema_cache() is
    'Makes PostgREST look at the tables again once the transaction commits.';
