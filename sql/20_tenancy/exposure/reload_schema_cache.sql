create function tenancy.reload_schema_cache()
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- On hosted Supabase, event triggers send the same notification on every DDL statement.
    -- PostgreSQL merges identical notifications of one transaction, so PostgREST reloads once.
    perform pg_notify('pgrst', 'reload schema');
end;
$$;

comment on function tenancy.reload_schema_cache() is
    'Makes PostgREST read the tables again once the transaction commits.';
