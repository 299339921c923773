create function tenancy.require_permissions(permissions text[])
    returns text[]
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_unknown text;
begin
    perform tenancy.require_argument('permissions', permissions::text);

    select coalesce(g.name, '') into v_unknown
    from unnest(permissions) g (name)
    where not exists (select from tenancy.permissions p where p.permission = g.name)
    limit 1;
    if found then
        raise exception 'There is no permission "%".', tenancy.printable(v_unknown)
            using errcode = 'PT404', detail = 'permission_not_found',
                hint = 'Nothing was changed. A migration of the project declares one with declare_permission.';
    end if;

    return array(select distinct g.name collate "C" from unnest(permissions) g (name) order by 1);
end;
$$;

comment on function tenancy.require_permissions(text[]) is
    'Returns these names of permissions, sorted and each once. Refuses null and a name that is not declared (PT422 invalid_request, PT404 permission_not_found).';
