create function tenancy.shown_request(request tenancy.tenants_access_requests)
    returns public.tenantry_access_request
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return (
        select row(
            request.id, request.schema_name, request.user_id,
            case when u.email_confirmed_at is not null then u.email end,
            u.raw_app_meta_data ->> 'provider', request.message, request.created_at
        )::public.tenantry_access_request
        from auth.users u
        where u.id = request.user_id
    );
end;
$$;

comment on function tenancy.shown_request(tenancy.tenants_access_requests) is
    'A request for access as replies and the audit log have it, with the address that the user has now.';
