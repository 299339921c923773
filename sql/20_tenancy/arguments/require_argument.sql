create function tenancy.require_argument(argument text, value text)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if value is null then
        raise exception '"%" is null.', argument
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Send a value, or leave the argument out if it has a default.';
    end if;
end;
$$;

comment on function tenancy.require_argument(text, text) is
    'Refuses null for an argument that needs a value (PT422 invalid_request; the functions answer the same).';
