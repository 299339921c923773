create function tenancy.admin_audit_entries(
    tenant_id uuid,
    schema_name text,
    actor_id uuid,
    action text,
    occurred_from timestamptz,
    occurred_to timestamptz,
    before_id bigint,
    page_size integer
)
    returns setof public.tenantry_admin_audit_entry
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_entry public.tenantry_admin_audit_entry;
    v_previous public.tenantry_admin_audit_entry;
    v_rows integer := 0;
    v_bytes bigint := 0::bigint;
begin
    -- A loop, so that no value is read from the disk after the end of the page.
    for v_entry in
        select e.id, e.occurred_at, e.actor_id, e.actor_role, e.action, e.schema_name, e.tenant_id, e.details, e.request_id, false
        from public.admin_audit_log e
        where (admin_audit_entries.tenant_id is null or e.tenant_id = admin_audit_entries.tenant_id)
            and (admin_audit_entries.schema_name is null or e.schema_name = admin_audit_entries.schema_name)
            and (admin_audit_entries.actor_id is null or e.actor_id = admin_audit_entries.actor_id)
            and (admin_audit_entries.action is null or e.action = admin_audit_entries.action)
            and (occurred_from is null or e.occurred_at >= occurred_from)
            and (occurred_to is null or e.occurred_at < occurred_to)
            and (before_id is null or e.id < before_id)
        order by e.id desc
        limit page_size + 1
    loop
        v_bytes := v_bytes + 1000 + octet_length(v_entry.details::text);
        if v_rows > 0 then
            v_previous.has_more := true;
            return next v_previous;
        end if;
        if tenancy.is_page_full(page_size, v_rows, v_bytes) then
            return;
        end if;
        v_previous := v_entry;
        v_rows := v_rows + 1;
    end loop;

    if v_rows > 0 then
        return next v_previous;
    end if;
end;
$$;

comment on function tenancy.admin_audit_entries(uuid, text, uuid, text, timestamptz, timestamptz, bigint, integer) is
    'A page of admin_audit_log, newest entries first: up to page_size entries and 4 MB, or one larger entry. A null argument filters nothing.';
