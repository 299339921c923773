create function tenancy.sort_name(place tenancy.list_place)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return place.column_name || case when place.is_descending then '.desc' else '' end;
end;
$$;

comment on function tenancy.sort_name(tenancy.list_place) is 'The order as the argument sort names it.';
