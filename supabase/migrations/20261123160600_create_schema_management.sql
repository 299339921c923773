create function public.activate_tenant(schema_name text)
    returns public.tenants
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_before public.tenants;
    v_after public.tenants;
begin
    v_before := tenancy.lock_tenant(schema_name, platform => 'admin', member => null);

    if v_before.status = 'active' then
        return v_before;
    end if;

    update public.tenants t
    set status = 'active', suspended_at = null, suspension_reason = null, updated_at = now()
    where t.id = v_before.id
    returning * into v_after;
    perform tenancy.apply_tenant_privileges(schema_name);

    perform tenancy.log_action(
        'tenant.activate', v_after,
        jsonb_build_object('before', to_jsonb(v_before), 'after', to_jsonb(v_after))
    );

    return v_after;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.activate_tenant(text) is
    'Opens a suspended tenant again with exactly the privileges it had. Repeating it changes nothing. Platform admins. Errors: tenant_not_found, forbidden, not_authenticated, busy.';

create function public.create_tenant_schema(schema_name text default null, display_name text default null)
    returns public.tenants
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_schema_name constant text := coalesce(schema_name, tenancy.opaque_schema_name());
    v_creator constant uuid := (tenancy.caller()).user_id;
    v_tenant public.tenants;
begin
    perform tenancy.require_platform_role('admin');

    perform tenancy.require_schema_name(v_schema_name);
    perform tenancy.lock_users(array[v_creator]);
    -- Again, now that the caller is locked: they may have been deleted while waiting.
    perform tenancy.require_platform_role('admin');
    insert into public.tenants (schema_name, display_name, schema_version, created_by)
    values (
        v_schema_name,
        coalesce(display_name, v_schema_name),
        tenancy.latest_tenant_version(),
        v_creator
    )
    -- Of two callers with one name the second waits here and then finds the first's row.
    on conflict on constraint tenants_schema_name_key do nothing
    returning * into v_tenant;
    if v_tenant.id is null then
        raise exception 'There already is a tenant "%".', v_schema_name
            using errcode = 'PT409', detail = 'tenant_exists',
                hint = 'Choose another name, or leave it out for a random one.';
    end if;
    if to_regnamespace(v_schema_name) is not null then
        raise exception 'The database already has a schema "%", which is no tenant.', v_schema_name
            using errcode = 'PT409', detail = 'schema_exists',
                hint = 'Choose another name, or leave it out for a random one.';
    end if;

    perform tenancy.build_tenant_schema(v_schema_name);

    perform tenancy.log_action('tenant.create', v_tenant, jsonb_build_object('after', to_jsonb(v_tenant)));
    perform tenancy.expose_schema(v_schema_name);

    return v_tenant;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.create_tenant_schema(text, text) is
    'Makes a tenant: its schema with the template''s tables, and its place on the Data API, where it answers within moments. Left out, the name is a random one that tells nothing. Platform admins. Errors: invalid_schema_name, tenant_exists, schema_exists, forbidden, not_authenticated, busy.';

create function public.delete_tenant_schema(schema_name text)
    returns public.tenants
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_seal public.audit_seal;
begin
    perform tenancy.require_standing(schema_name, platform => 'super_admin', member => null);
    -- Users before their grants: one who is being deleted takes along their own and their
    -- name on those they made, in no order that could be kept here.
    perform tenancy.lock_users(array(
        select u.id
        from public.user_schema_access a
        cross join unnest(array[a.user_id, a.granted_by]) u (id)
        where a.schema_name = delete_tenant_schema.schema_name
    ));
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'super_admin', member => null);

    if v_tenant.status <> 'suspended' then
        raise exception 'Tenant "%" is active.', schema_name
            using errcode = 'PT409', detail = 'tenant_active',
                hint = 'Deleting destroys all its data. Suspend it first with suspend_tenant.';
    end if;

    -- The trail goes with the tenant; what remains is what it amounted to.
    v_seal := tenancy.forget_audit_log(schema_name);
    -- The grants go by cascade.
    delete from public.tenants t where t.id = v_tenant.id;
    perform tenancy.log_action(
        'tenant.delete', v_tenant,
        jsonb_build_object('before', to_jsonb(v_tenant), 'audit_log', to_jsonb(v_seal))
    );
    perform tenancy.drop_tenant_schema(schema_name);

    return v_tenant;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.delete_tenant_schema(text) is
    'Destroys a suspended tenant: schema, rows, grants and its place on the Data API. admin_audit_log keeps what was done. There is no way back. super_admins. Errors: tenant_not_found, tenant_active, forbidden, not_authenticated, busy.';

create function public.rename_tenant(schema_name text, display_name text)
    returns public.tenants
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_before public.tenants;
    v_after public.tenants;
begin
    v_before := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    if v_before.display_name = rename_tenant.display_name then
        return v_before;
    end if;

    update public.tenants t
    set display_name = rename_tenant.display_name, updated_at = now()
    where t.id = v_before.id
    returning * into v_after;

    perform tenancy.log_action(
        'tenant.rename', v_after,
        jsonb_build_object('before', v_before.display_name, 'after', v_after.display_name)
    );

    return v_after;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.rename_tenant(text, text) is
    'Changes what people call a tenant; the schema keeps its name. Admins of the tenant or of the platform. Errors: tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';

create function public.suspend_tenant(schema_name text, reason text default null)
    returns public.tenants
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_before public.tenants;
    v_after public.tenants;
begin
    v_before := tenancy.lock_tenant(schema_name, platform => 'admin', member => null);

    if v_before.status = 'suspended' then
        return v_before;
    end if;

    update public.tenants t
    set status = 'suspended', suspended_at = now(), suspension_reason = reason, updated_at = now()
    where t.id = v_before.id
    returning * into v_after;
    perform tenancy.apply_tenant_privileges(schema_name);

    perform tenancy.log_action(
        'tenant.suspend', v_after,
        jsonb_build_object('before', to_jsonb(v_before), 'after', to_jsonb(v_after))
    );

    return v_after;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.suspend_tenant(text, text) is
    'Closes a tenant at once, service key included: USAGE on the schema first, then every privilege in it. No row is lost. Repeating it changes nothing, the first reason stays. Platform admins. Errors: tenant_not_found, forbidden, not_authenticated, busy.';
