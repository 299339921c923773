create function public.get_admin_audit_log(
    schema_name text default null,
    actor_id uuid default null,
    action text default null,
    occurred_from timestamptz default null,
    occurred_to timestamptz default null,
    before_id bigint default null,
    page_size integer default 100
)
    returns setof public.tenantry_admin_audit_entry
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_tenant_id uuid;
begin
    -- Platform staff see all entries, also those of deleted tenants. An admin of a tenant sees
    -- the entries with the tenant's id, because another tenant may have had the name before.
    if tenancy.platform_role() is null then
        if schema_name is null then
            perform tenancy.require_platform_role('viewer');
        end if;
        perform tenancy.require_permission(schema_name, platform => null, member => 'admin');
        select t.id into strict v_tenant_id
        from public.tenants t
        where t.schema_name = get_admin_audit_log.schema_name;
    end if;
    perform tenancy.require_page_size(page_size);

    return query
    select * from tenancy.admin_audit_entries(
        v_tenant_id, schema_name, actor_id, action, occurred_from, occurred_to, before_id, page_size
    );
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_admin_audit_log(text, uuid, text, timestamptz, timestamptz, bigint, integer) is
    'Lists admin actions, newest first, one page at a time. '
    'Filters are the tenant, the actor, the action (such as tenant.suspend) and the time: '
    'occurred_from is included, occurred_to is not. A page has up to page_size entries, from '
    '1 to 1,000, and fewer if they are more than 4 MB. has_more of the last entry says whether '
    'there is a next page: give its id as before_id. A tenant '
    'admin names the tenant and sees its entries; platform staff see all entries. '
    'Callers: tenant admin, platform viewer. '
    'Errors: invalid_request, tenant_not_found, tenant_suspended, forbidden, '
    'not_authenticated, busy.';
