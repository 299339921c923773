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
    returns setof public.audit_entry
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query execute format(
        'select e.id, e.occurred_at, e.actor_id, e.actor_role, e.action, e.table_name, e.record_id, e.old_values, e.new_values'
        ' from %I.audit_log e'
        ' where ($1 is null or e.actor_id = $1)'
        '     and ($2 is null or e.action = $2)'
        '     and ($3 is null or e.table_name = $3)'
        '     and ($4 is null or e.record_id @> $4)'
        '     and ($5 is null or e.occurred_at >= $5)'
        '     and ($6 is null or e.occurred_at < $6)'
        '     and ($7 is null or e.id < $7)'
        ' order by e.id desc'
        ' limit $8',
        schema_name
    )
    using actor_id, action, table_name, record_id, occurred_from, occurred_to, before_id, page_size;
end;
$$;

comment on function tenancy.audit_entries(text, uuid, text, text, jsonb, timestamptz, timestamptz, bigint, integer) is
    'A page of a tenant''s audit_log, newest entries first. A null argument filters nothing.';
