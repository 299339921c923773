create function public.create_tenant_schema(schema_name text default null, display_name text default null)
    returns public.tenants
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    -- A new schema invalidates every cached plan. Without this setting, PostgreSQL would plan
    -- each statement again in each of its next five runs.
    set plan_cache_mode = force_generic_plan
    language plpgsql
as $$
declare
    v_schema_name text := schema_name;
    v_creator constant uuid := (tenancy.caller()).user_id;
    v_tenant public.tenants;
begin
    perform tenancy.require_platform_role('admin');

    if schema_name is not null then
        perform tenancy.require_schema_name(schema_name);
    end if;
    if display_name is not null then
        perform tenancy.require_text('display_name', display_name, 200, shortest => 1);
    end if;
    perform tenancy.lock_users(array[v_creator]);
    -- Check again under the lock: the caller may have been deleted while this call waited.
    perform tenancy.require_platform_role('admin');
    if schema_name is null then
        v_tenant := tenancy.claim_pooled_tenant(display_name, v_creator);
        if v_tenant.id is not null then
            perform tenancy.log_action('tenant.create', v_tenant, jsonb_build_object('after', to_jsonb(v_tenant)));
            perform tenancy.open_pooled_tenant(v_tenant.schema_name);
            return v_tenant;
        end if;
        v_schema_name := tenancy.opaque_schema_name();
    end if;
    insert into public.tenants (schema_name, display_name, schema_version, created_by)
    values (
        v_schema_name,
        coalesce(display_name, v_schema_name),
        tenancy.lock_latest_version(),
        v_creator
    )
    -- If two callers send one name, the second waits here and then finds the first one's row.
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

    -- Log first: `create schema` invalidates every cached plan.
    perform tenancy.log_action('tenant.create', v_tenant, jsonb_build_object('after', to_jsonb(v_tenant)));

    perform tenancy.refresh_catalog_statistics();
    perform tenancy.make_tenant_schema(v_schema_name);
    perform tenancy.expose_schema(v_schema_name);

    return v_tenant;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.create_tenant_schema(text, text) is
    'Creates a tenant: a schema with the template''s tables, which the Data API serves within '
    'moments. '
    'Without schema_name the tenant gets a random name that reveals nothing, and is taken from '
    'the pool if one is ready there. '
    'Callers: platform admin. '
    'Errors: invalid_schema_name, invalid_request, tenant_exists, schema_exists, template_broken, '
    'forbidden, not_authenticated, busy.';
