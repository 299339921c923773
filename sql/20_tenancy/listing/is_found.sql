create function tenancy.is_found(search text, name text, display_name text)
    returns boolean
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- Not by LIKE: its wildcards would have to be escaped.
    return strpos(lower(name), lower(search)) > 0 or strpos(lower(display_name), lower(search)) > 0;
end;
$$;

comment on function tenancy.is_found(text, text, text) is
    'Whether the schema name of a tenant or the address of a member, or its display name, contains this text, whatever the case of its letters.';
