create function tenancy.all_roles(schema_name text)
    returns setof public.tenantry_role
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    select t.role_name, t.permissions, t.description, true
    from tenancy.template_roles t
    union all
    select r.role_name, r.permissions, r.description, false
    from tenancy.tenants_roles r
    where r.schema_name = all_roles.schema_name;
end;
$$;

comment on function tenancy.all_roles(text) is
    'The roles of a tenant: those of the template, and its own. The names differ: define_role and declare_role see to that.';
