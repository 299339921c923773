create function tenancy.is_found(search text, schema_name text, display_name text)
    returns boolean
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- Not by LIKE: its wildcards would have to be escaped.
    return strpos(lower(schema_name), lower(search)) > 0 or strpos(lower(display_name), lower(search)) > 0;
end;
$$;

comment on function tenancy.is_found(text, text, text) is
    'Whether a tenant''s schema name or display name contains this text, whatever the case of its letters.';
