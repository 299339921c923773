create function tenancy.findings(schema_name text)
    returns tenancy.finding[]
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if schema_name is null then
        return array(select row(f.*)::tenancy.finding from tenancy.platform_findings() f);
    end if;
    return array(select row(f.*)::tenancy.finding from tenancy.tenant_findings(schema_name) f);
end;
$$;

comment on function tenancy.findings(text) is
    'The findings in one tenant, or those of the platform if schema_name is null.';
