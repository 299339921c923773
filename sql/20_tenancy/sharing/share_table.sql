create function tenancy.share_table(relation regclass)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_table pg_catalog.pg_class;
    v_schema_name text;
    v_is_granted boolean;
begin
    select * into strict v_table from pg_catalog.pg_class c where c.oid = share_table.relation;
    v_schema_name := v_table.relnamespace::regnamespace::text;
    if v_table.relkind not in ('r', 'p') then
        raise exception '% is no table, so no foreign key can reference it. Share the table that it shows.', relation
            using errcode = 'wrong_object_type';
    end if;
    if v_schema_name in ('tenancy', 'tenant_template')
        or exists (select from public.tenants t where t.schema_name = v_schema_name)
        or relation in (
            'public.tenants'::regclass, 'public.admin_users'::regclass,
            'public.user_schema_access'::regclass, 'public.admin_audit_log'::regclass
        )
    then
        raise exception 'Table % belongs to a tenant or to Tenantry itself, and cannot be shared. Share a table of the project, such as public.products.', relation
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    -- A key to auth.users, for example, would make every sign-up wait while a tenant is created.
    if not pg_has_role(v_table.relowner, 'usage') then
        raise exception 'Table % belongs to the role %, and cannot be shared. Share a table of the project, such as public.products.', relation, v_table.relowner::regrole
            using errcode = 'object_not_in_prerequisite_state';
    end if;

    v_is_granted := not has_table_privilege('authenticated', relation, 'select');
    insert into tenancy.shared_tables (relation, is_granted)
    values (relation, v_is_granted)
    on conflict on constraint shared_tables_pkey do nothing;
    if v_is_granted then
        execute format('grant select on %s to authenticated', relation);
        perform tenancy.reload_schema_cache();
    end if;
    if not v_table.relrowsecurity then
        raise warning 'Table % has no row level security: every signed-in user reads all its rows. Unless that is meant, enable it and write a policy.', relation;
    end if;
end;
$$;

comment on function tenancy.share_table(regclass) is
    'Lets foreign keys of the template reference a table of the project. Grants SELECT on it to authenticated; which rows a user reads is decided by the policies of the table. Grants nothing else, and nothing to anon. Repeating a call changes nothing.';
