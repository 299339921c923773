create function tenancy.require_column_name(column_name text)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_identifier(column_name, 'column');

    if column_name in ('cmax', 'cmin', 'ctid', 'tableoid', 'xmax', 'xmin') then
        raise exception 'A column cannot be named "%": every table has a system column of that name.', column_name
            using errcode = 'PT400', detail = 'invalid_identifier',
                hint = 'Choose another name.';
    end if;
end;
$$;

comment on function tenancy.require_column_name(text) is
    'Refuses a name that no column can have (PT400 invalid_identifier).';
