create function tenancy.sharing_obstacle(relation regclass)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_table pg_catalog.pg_class;
    v_schema_name text;
begin
    select * into strict v_table from pg_catalog.pg_class c where c.oid = sharing_obstacle.relation;
    select n.nspname::text into strict v_schema_name from pg_catalog.pg_namespace n where n.oid = v_table.relnamespace;
    if v_table.relkind not in ('r', 'p') then
        return 'it is no table';
    end if;
    if v_schema_name in ('tenancy', 'tenant_template')
        or relation in (
            'public.tenants'::regclass, 'public.admin_users'::regclass,
            'public.user_schema_access'::regclass, 'public.admin_audit_log'::regclass
        )
    then
        return 'it belongs to Tenantry itself';
    end if;
    if exists (select from public.tenants t where t.schema_name = v_schema_name) then
        return 'it belongs to a tenant';
    end if;
    -- A key to auth.users, for example, would make every sign-up wait while a tenant is created.
    if not pg_has_role(v_table.relowner, 'usage') then
        return format('it belongs to the role %s', v_table.relowner::regrole);
    end if;

    return null;
end;
$$;

comment on function tenancy.sharing_obstacle(regclass) is
    'Why share_table refuses this table, as the end of a sentence; null if the table can be shared.';
