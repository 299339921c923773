create function tenancy.require_joinable(schema_name text)
    returns tenancy.joinable_tenant
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_joinable tenancy.joinable_tenant;
begin
    perform tenancy.require_signed_in();
    perform tenancy.require_not_member(schema_name);

    select * into v_joinable
    from tenancy.joinable_tenants() j
    where j.schema_name = require_joinable.schema_name;
    if v_joinable.schema_name is null then
        perform tenancy.raise_tenant_not_found(schema_name);
    end if;

    return v_joinable;
end;
$$;

comment on function tenancy.require_joinable(text) is
    'Returns a tenant that the caller may join (PT401 not_authenticated; PT409 member_exists; PT404 tenant_not_found, the same for everybody else and for every other tenant).';
