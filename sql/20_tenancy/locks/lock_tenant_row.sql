-- NO KEY UPDATE does not block the foreign keys of grants. The timeout applies to each of the two
-- waits for a row, first for one's turn and then for the row. It is short because a call that
-- waits occupies a connection of PostgREST, and longer than deadlock_timeout, which is 1 s.
create function tenancy.lock_tenant_row(schema_name text)
    returns public.tenants
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '1200ms'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
begin
    -- This lock tells cancel_changes which sessions change the tenant. Every holder shares it.
    perform pg_advisory_xact_lock_shared(hashtextextended('tenancy.changing.' || schema_name, 0));
    perform tenancy.require_not_closing(schema_name);

    select * into v_tenant
    from public.tenants t
    where t.schema_name = lock_tenant_row.schema_name
    for no key update skip locked;
    if v_tenant.id is null then
        -- Members who change one tenant without a pause could otherwise occupy all connections.
        perform tenancy.require_no_long_change(schema_name);
        select * into v_tenant
        from public.tenants t
        where t.schema_name = lock_tenant_row.schema_name
        for no key update;
    end if;

    -- The closing may have begun while this call waited.
    perform tenancy.require_not_closing(schema_name);

    return v_tenant;
end;
$$;

comment on function tenancy.lock_tenant_row(text) is
    'Locks a tenant''s registry row until the transaction ends, and returns it. It asks for no permission: the caller does, before and after. Waits at most 2.4 s, in two steps of 1.2 s, and not at all while another session has been changing the tenant for more than a second or has called lock_tenant_first (55P03).';
