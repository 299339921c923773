create function public.get_audit_log(
    schema_name text,
    actor_id uuid default null,
    action text default null,
    table_name text default null,
    record_id jsonb default null,
    occurred_from timestamptz default null,
    occurred_to timestamptz default null,
    before_id bigint default null,
    page_size integer default 100
)
    returns setof public.tenantry_audit_entry
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_permission(schema_name, platform => null, member => 'admin');
    perform tenancy.require_page_size(page_size);

    return query
    select * from tenancy.audit_entries(
        schema_name, actor_id, action, table_name, record_id,
        occurred_from, occurred_to, before_id, page_size
    );
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_audit_log(text, uuid, text, text, jsonb, timestamptz, timestamptz, bigint, integer) is
    'Lists data changes in a tenant, newest first, one page at a time. '
    'Filters are the actor, the action (insert, update, delete, truncate), the table, the '
    'record (its key columns as JSON) and the time: occurred_from is included, occurred_to is '
    'not. A page has up to page_size entries, from 1 to 1,000, and fewer if they are more than '
    '4 MB. has_more of the last entry says whether there is a next page: give its id as '
    'before_id. '
    'Callers: tenant admin. '
    'Errors: invalid_request, tenant_not_found, tenant_suspended, forbidden, '
    'not_authenticated, busy.';
