create function tenancy.role_permissions(schema_name text, role_names text[])
    returns text[]
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return array(
        select distinct p.permission collate "C"
        from tenancy.all_roles(schema_name) r
        cross join unnest(r.permissions) p (permission)
        where r.role_name = any (role_names)
        order by 1
    );
end;
$$;

comment on function tenancy.role_permissions(text, text[]) is
    'What these roles give in a tenant, sorted. A name that is no role gives nothing.';
