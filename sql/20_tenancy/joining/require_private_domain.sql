create function tenancy.require_private_domain(domain text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if exists (
        select from tenancy.public_mail_domains p
        where '.' || require_private_domain.domain like '%.' || p.domain
    ) then
        raise exception 'Anybody can have an e-mail address of "%".', domain
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Nothing was changed. Send a domain that belongs to the tenant, or invite its people with invite_member.';
    end if;
end;
$$;

comment on function tenancy.require_private_domain(text) is
    'Refuses a public mail domain and its subdomains (PT422 invalid_request).';
