create function tenancy.member_tenants()
    returns text[]
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_user_id constant uuid := (tenancy.caller()).user_id;
begin
    return array(
        select a.schema_name
        from public.user_schema_access a
        where a.user_id = v_user_id
            and (a.expires_at is null or a.expires_at > statement_timestamp())
    );
end;
$$;

comment on function tenancy.member_tenants() is
    'Schema names of the tenants on which the caller holds an unexpired grant, suspended tenants included. For policies: call it in a subselect, so that it runs once a statement.';
