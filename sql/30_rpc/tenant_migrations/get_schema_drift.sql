create function public.get_schema_drift(
    schema_name text,
    page_size integer default 1000,
    after_object_kind text default null,
    after_object_name text default null
)
    returns setof public.tenantry_schema_difference
    volatile
    security definer
    set search_path = ''
    set quote_all_identifiers = off
    language plpgsql
as $$
begin
    perform tenancy.require_permission(schema_name, platform => 'admin', member => null);
    perform tenancy.require_page_size(page_size);

    return query
    select d.object_kind, d.object_name, d.difference, d.expected, d.found,
        nullif(
            tenancy.difference_statements(schema_name, d.object_kind, d.object_name, d.expected, d.found), ''
        )
    from tenancy.lasting_drift(schema_name) d
    where (d.object_kind, d.object_name) > (coalesce(after_object_kind, ''), coalesce(after_object_name, ''))
    order by d.object_kind, d.object_name
    limit page_size;
    -- A tenant that was deleted meanwhile has no differences, and is no tenant any more.
    perform tenancy.require_permission(schema_name, platform => 'admin', member => null);
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_schema_drift(text, integer, text, text) is
    'Lists the differences between a tenant and the reference schema at the tenant''s version, one '
    'page at a time. '
    'The comparison covers tables, columns, constraints, indexes, policies, triggers, routines, '
    'types, owners and grants. Grants to a role of the project count, unless a tenant migration '
    'gives them. The tenant''s own tables and its columns x_… do not count as '
    'differences, but their owners and grants are compared. A tenant migration at which the tenant is '
    'stuck is a difference, too, with the reason. Without a difference the list is empty. A page '
    'has up to page_size differences, from 1 to 1,000; a page that is not full is the last one. '
    'For the next page, give the last object_kind and object_name of this page as '
    'after_object_kind and after_object_name. '
    'repair is SQL that removes the difference, for postgres to read and run; it is null if '
    'a person has to decide. '
    'Callers: platform admin. '
    'Errors: invalid_request, tenant_not_found, forbidden, not_authenticated, busy.';
