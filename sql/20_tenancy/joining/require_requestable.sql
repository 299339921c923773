create function tenancy.require_requestable(schema_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_signed_in();
    -- Before anything depends on the tenant. The admin has nothing else to go by.
    if tenancy.own_address() is null then
        perform tenancy.log_refusal('forbidden', schema_name);
        raise exception 'Only a user with a confirmed e-mail address can request access.'
            using errcode = '42501', detail = 'forbidden',
                hint = 'Confirm your address in Auth, and try again.';
    end if;
    perform tenancy.require_not_member(schema_name);
    if not exists (
        select
        from tenancy.tenants_open_to_requests o
        join public.tenants t on t.schema_name = o.schema_name
        where o.schema_name = require_requestable.schema_name and t.status = 'active'
    ) then
        perform tenancy.raise_tenant_not_found(schema_name);
    end if;
end;
$$;

comment on function tenancy.require_requestable(text) is
    'Refuses a caller who cannot request access to a tenant (PT401 not_authenticated; 42501 forbidden without a confirmed address; PT409 member_exists; PT404 tenant_not_found, the same for a missing tenant, a suspended one and one that takes no requests).';
