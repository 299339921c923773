create function tenancy.require_roles(schema_name text, roles text[])
    returns text[]
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_unknown text;
begin
    if roles is null then
        return null;
    end if;

    select coalesce(g.name, '') into v_unknown
    from unnest(roles) g (name)
    where not exists (
        select from tenancy.all_roles(schema_name) r where r.role_name = g.name
    )
    limit 1;
    if found then
        raise exception 'Tenant "%" has no role "%".', schema_name, tenancy.printable(v_unknown)
            using errcode = 'PT404', detail = 'role_not_found',
                hint = 'Nothing was changed. list_roles lists the roles, and define_role makes one.';
    end if;

    return array(select distinct g.name collate "C" from unnest(roles) g (name) order by 1);
end;
$$;

comment on function tenancy.require_roles(text, text[]) is
    'Returns these names of roles, sorted and each once; null for null. Refuses a name that is no role of the tenant or of the template (PT404 role_not_found). Only under a lock of the tenant.';
