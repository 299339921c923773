create function public.register_tenant_schema(schema_name text, display_name text default null)
    returns public.tenants
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
begin
    perform tenancy.require_platform_role('super_admin');

    perform tenancy.lock_users(array[(tenancy.caller()).user_id]);
    -- Check again under the lock: the caller may have been deleted while this call waited.
    perform tenancy.require_platform_role('super_admin');
    -- Inserts and so locks the registry row, and logs tenant.adopt.
    perform tenancy.register_tenant_schema(schema_name, display_name);

    select t.* into strict v_tenant
    from public.tenants t
    where t.schema_name = register_tenant_schema.schema_name;
    return v_tenant;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.register_tenant_schema(text, text) is
    'Makes a tenant of an existing schema, completely or not at all. '
    'Rows, keys, sequences, triggers and owners stay. The template''s tables are added. Nobody but '
    'members reaches the schema''s tables afterwards, and no API role its routines. What would '
    'open a way around the layers refuses the schema: the message lists it, the hint says what '
    'to do. `tenantry adopt --dry-run` shows what would become of each object. The call is logged '
    'as tenant.adopt, for good, with the policies and privileges that it removed. '
    'Callers: super_admin. '
    'Errors: invalid_schema_name, schema_not_found, tenant_exists, schema_refused, '
    'invalid_request, forbidden, not_authenticated, busy.';
