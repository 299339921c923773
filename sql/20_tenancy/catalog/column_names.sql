create function tenancy.column_names(relation oid, numbers smallint[])
    returns text[]
    stable
    security invoker
    set search_path = ''
    -- One plan for all calls: PostgreSQL expects a plan for the given numbers to be cheaper,
    -- and would make such a plan in each call.
    set plan_cache_mode = force_generic_plan
    language plpgsql
as $$
begin
    return array(
        select a.attname::text
        from unnest(numbers) with ordinality n (number, place)
        join pg_catalog.pg_attribute a on a.attrelid = relation and a.attnum = n.number
        order by n.place
    );
end;
$$;

comment on function tenancy.column_names(oid, smallint[]) is
    'The names of these columns of a table, in the order of the numbers.';
