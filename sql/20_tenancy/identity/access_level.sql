create function tenancy.access_level(schema_name text)
    returns public.access_level
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_user_id constant uuid := (tenancy.caller()).user_id;
begin
    -- The statement's time, not the transaction's: a grant must not outlive its expiry in a
    -- transaction that was opened before it.
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
    'The caller''s level in a tenant by an unexpired grant, whatever the tenant''s status; null without one.';
