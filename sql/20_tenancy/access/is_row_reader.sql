-- The platform's staff may list members, but reads no rows of tenants. The profiles are rows.
create function tenancy.is_row_reader(schema_name text)
    returns boolean
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return exists (
            select from public.tenants t
            where t.schema_name = is_row_reader.schema_name and t.status = 'active'
        )
        and (
            tenancy.access_level(schema_name) is not null
            or (tenancy.caller()).kind in ('service_role', 'postgres')
        );
end;
$$;

comment on function tenancy.is_row_reader(text) is
    'Whether the caller may read the rows of a tenant: it is active, and the caller is a member, the service key or the owner.';
