create function tenancy.require_list_place(
    sort text,
    after text,
    columns text[],
    key_pattern text default ''
)
    returns tenancy.list_place
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_parts constant text[] := regexp_match(sort, '^(\w+?)(?:\.(asc|desc))?$');
    v_place tenancy.list_place;
    v_cursor jsonb;
begin
    if v_parts is null or v_parts[1] <> all (columns) then
        raise exception '"sort" is no order of this list.'
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Send one of ' || array_to_string(columns, ', ') || ', alone or with ".desc" behind it.';
    end if;

    v_place.column_name := v_parts[1];
    v_place.is_descending := coalesce(v_parts[2] = 'desc', false);
    if after is null then
        return v_place;
    end if;

    begin
        v_cursor := convert_from(decode(after, 'base64'), 'UTF8')::jsonb;
        v_place.number := (v_cursor ->> 1)::numeric;
        v_place.words := v_cursor ->> 2;
        v_place.key := v_cursor ->> 3;
    exception
        -- Not a cursor. What decodes and parses texts has errors of its own for each mistake.
        when data_exception or untranslatable_character or program_limit_exceeded then
            v_place.key := null;
    end;

    if v_place.key is null
        or v_place.key !~ key_pattern
        or v_place.number is null
        or v_place.words is null
        or v_cursor ->> 0 is distinct from tenancy.sort_name(v_place)
    then
        raise exception '"after" is no cursor of this order.'
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Send the cursor of the last row of the previous page, with the same sort.';
    end if;

    return v_place;
end;
$$;

comment on function tenancy.require_list_place(text, text, text[], text) is
    'Reads the arguments sort and after of a list that can be sorted by these columns, and whose keys match this pattern (PT422 invalid_request).';
