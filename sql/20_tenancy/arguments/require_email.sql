create function tenancy.require_email(email text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_email constant text := btrim(email, E' \t\r\n');
begin
    perform tenancy.require_argument('email', email);

    -- The rule of Auth, which takes ASCII alone: nobody could have another address there.
    if octet_length(v_email) <= 255
        and v_email ~ (
            '^[a-zA-Z0-9.!#$%&''*+/=?^_`{|}~-]+'
            '@[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$'
        )
    then
        return v_email;
    end if;

    raise exception '"%" is not an e-mail address that Auth accepts.', tenancy.printable(v_email)
        using errcode = 'PT422', detail = 'invalid_request',
            hint = 'Nothing was changed. Send an address such as ann@example.com.';
end;
$$;

comment on function tenancy.require_email(text) is
    'Returns an e-mail address without spaces around it, and refuses a text that is none by the rule of Auth (PT422 invalid_request).';
