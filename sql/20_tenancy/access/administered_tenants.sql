create function tenancy.administered_tenants()
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
        join public.tenants t on t.schema_name = a.schema_name
        where a.user_id = v_user_id
            and a.access_level = 'admin'
            and (a.expires_at is null or a.expires_at > statement_timestamp())
            and t.status = 'active'
    );
end;
$$;

comment on function tenancy.administered_tenants() is
    'Schema names of the active tenants that the caller administers. For policies: call it in a subselect, so that it runs once a statement.';
