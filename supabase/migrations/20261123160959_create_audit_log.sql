create function public.get_admin_audit_log(
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
    limit least(greatest(page_size, 1), 1000);
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_admin_audit_log(text, uuid, text, timestamptz, timestamptz, bigint, integer) is
    'Admin actions, newest first: by tenant, actor, action (tenant.suspend …), from (included) and to (not); pages as in get_audit_log. Platform staff see all, admins of a tenant that tenant''s. Errors: tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';

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
    returns setof public.audit_entry
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_standing(schema_name, platform => null, member => 'admin');

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
    'Data changes in a tenant, newest first: by actor, action (insert, update, delete, truncate), table, record (key columns as JSON), from (included) and to (not). A page has up to page_size entries, at most 1,000; the next one is before_id = the last id of this one. Admins of the tenant. Errors: tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';

create function public.prune_audit_log(schema_name text, before timestamptz)
    returns public.audit_pruning
    volatile
    security definer
    set search_path = ''
    set statement_timeout = '60s'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_pruning public.audit_pruning;
begin
    if schema_name is null then
        perform tenancy.require_platform_role('admin');
    else
        v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => null);
    end if;

    v_pruning := tenancy.prune_audit_log(coalesce(schema_name, 'public'), before);

    if v_pruning.removed > 0 then
        perform tenancy.log_action(
            'audit.prune', v_tenant,
            jsonb_build_object('log', v_pruning.schema_name, 'removed_before', before, 'removed', v_pruning.removed, 'head', v_pruning.head)
        );
    end if;

    return v_pruning;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.prune_audit_log(text, timestamptz) is
    'Retention: removes the entries of a tenant''s audit log, or with a null name of admin_audit_log, that are older than a moment and sealed; the rest of the chain stays verifiable. Platform admins; logged as audit.prune with the number removed and their head. Errors: tenant_not_found, forbidden, not_authenticated, busy.';

create function public.redact_audit_log(schema_name text, user_id uuid)
    returns public.audit_redaction
    volatile
    security definer
    set search_path = ''
    set statement_timeout = '60s'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_redaction public.audit_redaction;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => null);

    v_redaction.schema_name := schema_name;
    v_redaction.user_id := user_id;
    v_redaction.redacted := tenancy.redact_audit_log(schema_name, user_id);

    if v_redaction.redacted > 0 then
        perform tenancy.log_action('audit.redact', v_tenant, to_jsonb(v_redaction));
    end if;

    return v_redaction;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.redact_audit_log(text, uuid) is
    'On a person''s request: takes the values of their profile (e-mail address, names, metadata) out of the sealed entries of a tenant''s audit log; admin_audit_log never had them. That something happened, when and by whom stays, and so does the chain. Entries too young to be sealed are left for the next call. Platform admins; logged as audit.redact. Errors: tenant_not_found, forbidden, not_authenticated, busy.';

create function public.seal_audit_log(schema_name text default null)
    returns public.audit_seal
    volatile
    security definer
    set search_path = ''
    set statement_timeout = '60s'
    language plpgsql
as $$
begin
    if schema_name is null then
        perform tenancy.require_platform_role('admin');
    else
        perform tenancy.require_standing(schema_name, platform => 'admin', member => null);
    end if;

    return tenancy.seal_audit_log(coalesce(schema_name, 'public'));
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.seal_audit_log(text) is
    'Seals the entries of a tenant''s audit log, or without a name of admin_audit_log, into a hash chain and returns its head: keep it outside the database, for verify_audit_log. To be called on a schedule; writers never wait for it. Entries of transactions still running, or begun before one still running, wait for the next call. Platform admins. Errors: tenant_not_found, forbidden, not_authenticated, busy.';

create function public.verify_audit_log(schema_name text default null, expected_head text default null)
    returns public.audit_verification
    stable
    security definer
    set search_path = ''
    set statement_timeout = '60s'
    language plpgsql
as $$
begin
    if schema_name is null then
        perform tenancy.require_platform_role('admin');
    else
        perform tenancy.require_standing(schema_name, platform => 'admin', member => 'admin');
    end if;

    return tenancy.verify_audit_log(coalesce(schema_name, 'public'), expected_head);
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.verify_audit_log(text, text) is
    'Whether the sealed entries of a log are what was sealed: names the first one changed, removed or inserted since. expected_head is a head that seal_audit_log once returned and that was kept elsewhere; without it, whoever can rewrite the whole chain as a superuser can hide. It cannot show changes made before sealing, nor find a head older than the last pruning. Admins of the tenant or of the platform; admin_audit_log platform admins. Errors: tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';
