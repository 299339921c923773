create function tenancy.require_list_place(sort text, after text)
    returns tenancy.list_place
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_parts constant text[] := regexp_match(
        sort,
        '^(schema_name|display_name|created_at|status|schema_version|bytes|last_activity_at)(?:\.(asc|desc))?$'
    );
    v_place tenancy.list_place;
    v_cursor jsonb;
begin
    if v_parts is null then
        raise exception '"sort" is no order of the tenants.'
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Send schema_name, display_name, created_at, status, schema_version, bytes or last_activity_at, alone or with ".desc" behind it.';
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
        v_place.schema_name := v_cursor ->> 3;
    exception
        -- Not a cursor. What decodes and parses texts has errors of its own for each mistake.
        when data_exception or untranslatable_character or program_limit_exceeded then
            v_place.schema_name := null;
    end;

    if v_place.schema_name is null
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

comment on function tenancy.require_list_place(text, text) is
    'Reads the arguments sort and after of list_tenants (PT422 invalid_request).';
