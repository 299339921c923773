create function tenancy.access_level(schema_name text)
    returns tenancy.access_level
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_user_id constant uuid := (tenancy.caller()).user_id;
begin
    -- Not now(), which is the start of the transaction: in a long transaction, too, a grant
    -- ends when it expires.
    return (
        select a.access_level
        from public.user_schema_access a
        where a.user_id = v_user_id
            and a.schema_name = access_level.schema_name
            and (a.expires_at is null or a.expires_at > statement_timestamp())
    );
end;
$$;

comment on function tenancy.access_level(text) is
    'The caller''s access level in a tenant, from an unexpired grant; null without such a grant. The tenant''s status does not matter.';
