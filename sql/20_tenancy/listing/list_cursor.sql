create function tenancy.list_cursor(place tenancy.list_place)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- It holds the row's value at this time, so that a row that changes or goes afterwards shifts
    -- no page. Encoded, so that nobody builds one by hand.
    return translate(
        encode(
            convert_to(
                jsonb_build_array(tenancy.sort_name(place), place.number, place.words, place.key)::text,
                'UTF8'
            ),
            'base64'
        ),
        E'\n', ''
    );
end;
$$;

comment on function tenancy.list_cursor(tenancy.list_place) is 'The text for a place in a list that require_list_place reads.';
