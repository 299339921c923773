create function tenancy.check_creation_script()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        'warning: creation script',
        'tenant migration ' || f.version,
        'New tenants are not made by a creation script, but by all tenant migrations, which takes longer. '
            || coalesce(f.reason, rtrim(f.obstacle, '.') || '.'),
        case when f.reason is null
            then 'New tenants are complete. If creating one has to be faster, change the tenant migrations that are the reason.'
            else 'Compile the script: select tenancy.renew_creation_script();'
        end,
        case when f.reason is not null then 'select tenancy.renew_creation_script()' end
    from (
        select l.version, s.statements, s.obstacle, case
            when s.version is null then 'There is no script for the latest version of the template.'
            when s.release <> tenancy.release() then format('The script is from release %s.', s.release)
            when s.default_privileges <> tenancy.default_privileges() then
                'The default privileges have changed since the script was compiled.'
        end as reason
        from (select tenancy.latest_tenant_version() as version) l
        left join tenancy.tenant_template_scripts s on s.version = l.version
        where l.version is not null
    ) f
    where f.statements is null or f.reason is not null;
$$;

comment on function tenancy.check_creation_script() is
    'Check: whether new tenants are made by the creation script, or why they are not.';
