create function tenancy.find_creation_script(schema_name text)
    returns text
    stable
    security invoker
    set search_path = ''
    set quote_all_identifiers = off
    language plpgsql
as $$
begin
    return (
        select concat_ws(
            E'\n',
            s.statements,
            case t.status when 'active' then s.grants end,
            case when t.status in ('active', 'pooled') then s.opening end
        )
        from public.tenants t
        join tenancy.tenant_template_scripts s on s.version = t.schema_version
        where t.schema_name = find_creation_script.schema_name
            and s.statements is not null
            and s.release = tenancy.release()
            and s.default_privileges = tenancy.default_privileges()
            -- A name that needs quotes is written in two ways, and within a text a replay may have
            -- written either.
            and quote_ident(t.schema_name) = t.schema_name
    );
end;
$$;

comment on function tenancy.find_creation_script(text) is
    'The script that makes this tenant at the version and with the status in its registry row; null if the tenant migrations have to be replayed.';
