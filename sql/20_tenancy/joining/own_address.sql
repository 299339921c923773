create function tenancy.own_address()
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
        select u.email::text
        from auth.users u
        where u.id = v_user_id and u.email_confirmed_at is not null and not u.is_anonymous
    );
end;
$$;

comment on function tenancy.own_address() is
    'The caller''s e-mail address that Auth has confirmed; null without one, and for an anonymous user.';
