create function tenancy.narrow_permissions(schema_name text, user_id uuid)
    returns void
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '2s'
    language plpgsql
as $$
begin
    perform tenancy.lock_tenant_row(schema_name);
    perform tenancy.lock_template_roles((
        select a.roles
        from public.user_schema_access a
        where a.schema_name = narrow_permissions.schema_name and a.user_id = narrow_permissions.user_id
    ));

    update public.user_schema_access a
    set roles = array(
            select g.name
            from unnest(a.roles) g (name)
            where exists (select from tenancy.all_roles(a.schema_name) r where r.role_name = g.name)
            order by g.name collate "C"
        ),
        permissions = array(
            select p.name
            from unnest(a.permissions) p (name)
            where p.name = any (tenancy.role_permissions(a.schema_name, a.roles))
            order by p.name collate "C"
        )
    where a.schema_name = narrow_permissions.schema_name and a.user_id = narrow_permissions.user_id;
end;
$$;

comment on function tenancy.narrow_permissions(text, uuid) is
    'Takes from a grant the permissions that its roles do not give, and the names that are no roles. It gives nothing (55P03).';
