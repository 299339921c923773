create function tenancy.reload_schema_cache()
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- Hosted Supabase's event triggers send the same on every DDL statement; identical
    -- notifications of one transaction become one, and one reload.
    perform pg_notify('pgrst', 'reload schema');
end;
$$;

comment on function tenancy.reload_schema_cache() is
    'Makes PostgREST look at the tables again once the transaction commits.';
