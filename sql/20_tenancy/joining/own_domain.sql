-- Not from the token, whose address may be an old one or may never have been confirmed. The
-- address of an SSO user counts for nothing here: the SSO provider of one customer could assert
-- addresses of another.
create function tenancy.own_domain()
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_user_id constant uuid := (tenancy.caller()).user_id;
begin
    return (
        select
            case
                when u.is_anonymous then null
                when u.is_sso_user
                    then substring(lower((u.raw_app_meta_data ->> 'provider') collate "C") from '^sso:.+$')
                when u.email_confirmed_at is not null
                    then substring(lower(u.email collate "C") from '@([a-z0-9.-]+)$')
            end
        from auth.users u
        where u.id = v_user_id
    );
end;
$$;

comment on function tenancy.own_domain() is
    'By what the caller may join tenants: the domain of their confirmed e-mail address, or sso: and the id of their SSO provider; null without either.';
