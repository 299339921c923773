create function tenancy.column_names(relation oid, numbers smallint[])
    returns text[]
    stable
    security invoker
    set search_path = ''
    -- Knowing how many numbers it is given makes a plan look cheaper than it is to make anew
    -- for each call.
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

comment on function tenancy.column_names(oid, smallint[]) is 'The names of these columns of a table, in this order.';
