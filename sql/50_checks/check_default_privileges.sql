create function tenancy.check_default_privileges()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        case when n.oid is null then 'warning: default privileges' else 'default privileges' end,
        coalesce(n.nspname::text, 'database'),
        format(
            '%s gets privileges on new %s of %s in %s. Unregistered %s would be accessible.',
            d.grantee, d.kind, d.owner, coalesce('schema ' || n.nspname, 'every schema'), d.kind
        ),
        s.statement,
        case when n.oid is not null and d.owner = 'postgres' then s.statement end
    from (
        select distinct x.defaclnamespace, x.defaclrole::regrole::text as owner,
            case x.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' else 'functions' end as kind,
            case a.grantee when 0 then 'public' else a.grantee::regrole::text end as grantee
        from pg_catalog.pg_default_acl x
        cross join aclexplode(x.defaclacl) a
        where x.defaclobjtype in ('r', 'S', 'f')
            and a.grantee in (0, 'anon'::regrole, 'authenticated'::regrole, 'service_role'::regrole)
            -- PostgreSQL itself lets PUBLIC execute each new function.
            and not (x.defaclnamespace = 0 and x.defaclobjtype = 'f' and a.grantee = 0)
    ) d
    left join pg_catalog.pg_namespace n on n.oid = d.defaclnamespace
    cross join lateral (
        select format(
            'alter default privileges for role %s%s revoke all on %s from %s;',
            d.owner, ' in schema ' || quote_ident(n.nspname), d.kind, d.grantee
        ) as statement
    ) s
    where d.defaclnamespace = 0
        or n.nspname in ('tenancy', 'tenant_template')
        or exists (select from public.tenants t where t.schema_name = n.nspname)
    order by 1, 2, 3;
$$;

comment on function tenancy.check_default_privileges() is
    'Check: default privileges of API roles in tenants and in Tenantry''s schemas. Those in every schema are the project''s own, so they are only a warning.';
