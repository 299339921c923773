-- A page of no rows had one, and one of 5,000 had 1,000: whoever took fewer rows than asked
-- for the end lost the rest.
create function tenancy.require_page_size(page_size integer)
    returns void
    immutable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- Cut down to what there is, a page would look like the last one to whoever counts its rows.
    if page_size between 1 and 1000 then
        return;
    end if;

    raise exception '"page_size" is %.', coalesce(page_size::text, 'null')
        using errcode = 'PT422', detail = 'invalid_request',
            hint = 'A page has 1 to 1,000 rows. Leave it out for 100.';
end;
$$;

comment on function tenancy.require_page_size(integer) is
    'Refuses a page of no rows, or of more than 1,000 (PT422 invalid_request, as the functions answer).';
revoke all on function tenancy.require_page_size(integer)
    from public, anon, authenticated, service_role;

create or replace function tenancy.audit_entries(
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
    security definer
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

create or replace function public.get_audit_log(
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
    returns setof public.audit_entry
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_standing(schema_name, platform => null, member => 'admin');
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
    'Data changes in a tenant, newest first: by actor, action (insert, update, delete, truncate), table, record (key columns as JSON), from (included) and to (not). A page has up to page_size entries, from 1 to 1,000; the next one is before_id = the last id of this one. Admins of the tenant. Errors: invalid_request, tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';

create or replace function public.get_admin_audit_log(
    schema_name text default null,
    actor_id uuid default null,
    action text default null,
    occurred_from timestamptz default null,
    occurred_to timestamptz default null,
    before_id bigint default null,
    page_size integer default 100
)
    returns setof public.admin_audit_log
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_tenant_id uuid;
begin
    -- The staff see everything, also of tenants that are gone; a tenant's admin sees that
    -- tenant's, by its id, because a name may have been somebody else's before.
    if tenancy.platform_role() is null then
        if schema_name is null then
            perform tenancy.require_platform_role('viewer');
        end if;
        perform tenancy.require_standing(schema_name, platform => null, member => 'admin');
        select t.id into strict v_tenant_id
        from public.tenants t
        where t.schema_name = get_admin_audit_log.schema_name;
    end if;
    perform tenancy.require_page_size(page_size);

    return query
    select e.*
    from public.admin_audit_log e
    where (v_tenant_id is null or e.tenant_id = v_tenant_id)
        and (get_admin_audit_log.schema_name is null or e.schema_name = get_admin_audit_log.schema_name)
        and (get_admin_audit_log.actor_id is null or e.actor_id = get_admin_audit_log.actor_id)
        and (get_admin_audit_log.action is null or e.action = get_admin_audit_log.action)
        and (occurred_from is null or e.occurred_at >= occurred_from)
        and (occurred_to is null or e.occurred_at < occurred_to)
        and (before_id is null or e.id < before_id)
    order by e.id desc
    limit page_size;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_admin_audit_log(text, uuid, text, timestamptz, timestamptz, bigint, integer) is
    'Admin actions, newest first: by tenant, actor, action (tenant.suspend …), from (included) and to (not); pages as in get_audit_log. Platform staff see all, admins of a tenant that tenant''s. Errors: invalid_request, tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';

create or replace function public.list_tenants_behind(
    after_schema_name text default null,
    page_size integer default 100
)
    returns setof public.tenant_behind
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_latest constant text := tenancy.latest_tenant_version();
begin
    perform tenancy.require_platform_role('admin');
    perform tenancy.require_page_size(page_size);

    return query
    select t.schema_name, t.schema_version, (tenancy.next_migration(t.schema_version)).version,
        tenancy.pending_migrations(t.schema_version), u.sqlstate, u.message, u.failed_at
    from (
        select b.schema_name, b.schema_version
        from public.tenants b
        where b.schema_version < v_latest
            and (after_schema_name is null or b.schema_name > after_schema_name)
        order by b.schema_name
        limit page_size
    ) t
    left join tenancy.unfinished_migrations u on u.schema_name = t.schema_name
    order by t.schema_name;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.list_tenants_behind(text, integer) is
    'Tenants that lack tenant migrations, by name, with the reason if the next one has failed; for the next page give the last name as after_schema_name. 1 to 1,000 a page. Platform admins. Errors: invalid_request, forbidden, not_authenticated, busy.';
