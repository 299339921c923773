create function tenancy.audit_entries(
    schema_name text,
    actor_id uuid,
    action text,
    table_name text,
    record_id jsonb,
    occurred_from timestamptz,
    occurred_to timestamptz,
    before_id bigint,
    page_size integer
)
    returns setof public.tenantry_audit_entry
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_entry public.tenantry_audit_entry;
    v_previous public.tenantry_audit_entry;
    v_rows integer := 0;
    v_bytes bigint := 0::bigint;
begin
    -- A loop, so that no value is read from the disk after the end of the page.
    for v_entry in execute format(
        'select e.id, e.occurred_at, e.actor_id, e.actor_role, e.action, e.table_name, e.record_id, e.old_values, e.new_values, false'
        ' from %I.audit_log e'
        ' where ($1 is null or e.actor_id = $1)'
        '     and ($2 is null or e.action = $2)'
        '     and ($3 is null or e.table_name = $3)'
        '     and ($4 is null or e.record_id @> $4)'
        '     and ($5 is null or e.occurred_at >= $5)'
        '     and ($6 is null or e.occurred_at < $6)'
        '     and ($7 is null or e.id < $7)'
        ' order by e.id desc'
        ' limit $8 + 1',
        schema_name
    )
    using actor_id, action, table_name, record_id, occurred_from, occurred_to, before_id, page_size
    loop
        v_bytes := v_bytes + 1000
            + coalesce(octet_length(v_entry.record_id::text), 0)
            + coalesce(octet_length(v_entry.old_values::text), 0)
            + coalesce(octet_length(v_entry.new_values::text), 0);
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

comment on function tenancy.audit_entries(text, uuid, text, text, jsonb, timestamptz, timestamptz, bigint, integer) is
    'A page of a tenant''s audit_log, newest entries first: up to page_size entries and 4 MB, or one larger entry. A null argument filters nothing.';
