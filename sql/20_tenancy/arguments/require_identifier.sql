create function tenancy.require_identifier(name text, kind text)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if name is null or name !~ '^[a-z][a-z0-9_]{0,62}$' then
        raise exception 'A % name has 1 to 63 characters: lower-case letters a-z, digits and underscores, a letter first.', kind
            using errcode = 'PT400', detail = 'invalid_identifier',
                hint = 'Choose another name.';
    end if;
end;
$$;

comment on function tenancy.require_identifier(text, text) is
    'Refuses a name that no table, column or constraint can have (PT400 invalid_identifier). kind is the noun in the message, for example table.';
