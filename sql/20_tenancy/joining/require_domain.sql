create function tenancy.require_domain(domain text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_domain constant text := regexp_replace(lower(btrim(domain, E' \t\r\n') collate "C"), '[.]$', '');
begin
    perform tenancy.require_argument('domain', domain);

    if v_domain ~ '^sso:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
        -- The name of the TXT record, which has ten characters more, has to be a name of DNS, too.
        -- The last label of a domain is no number, so an IP address is none.
        or octet_length(v_domain) <= 243
            and v_domain ~ '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?[.])+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$'
    then
        return v_domain;
    end if;

    if v_domain ~ '[^ -~]' then
        raise exception '"%" has letters beyond ASCII.', tenancy.printable(v_domain)
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Nothing was changed. Send the domain as DNS has it, such as xn--bcher-kva.example.';
    end if;

    raise exception '"%" is neither a domain nor an SSO provider.', tenancy.printable(v_domain)
        using errcode = 'PT422', detail = 'invalid_request',
            hint = 'Nothing was changed. Send a domain such as example.com, or sso: and the id of the provider in Auth.';
end;
$$;

comment on function tenancy.require_domain(text) is
    'Returns a domain in lower case and without a dot at its end, or an SSO provider, and refuses every other text (PT422 invalid_request).';
