create function tenancy.check_template_references()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select distinct on (r.target)
        'template broken',
        'tenant migration ' || m.version,
        format(
            'Tenant migration %s makes a foreign key to %s, which does not exist any more. So no tenant can be created.',
            m.version, r.target
        ),
        format(
            'Create %1$s again, share it, and repair the tenants with tenantry drift --sql. To do without it, drop the '
            'key by a tenant migration, migrate every tenant, and only then replace migration %2$s with '
            'replace_tenant_migration and drop %1$s. If no tenant has migration %2$s, replace or withdraw it now.',
            r.target, m.version
        ),
        null::text
    from tenancy.tenant_template_objects o
    join tenancy.tenant_migrations m on m.version = o.version
    -- A table of the tenant has no schema in the recorded definition.
    cross join lateral substring(
        o.definition from '^FOREIGN KEY .* REFERENCES ((?:"(?:[^"]|"")+"|[^". (]+)\.(?:"(?:[^"]|"")+"|[^". (]+))\('
    ) r (target)
    where o.object_kind = 'constraint' and r.target is not null and to_regclass(r.target) is null
    order by r.target, m.position;
$$;

comment on function tenancy.check_template_references() is
    'Check: tenant migrations whose foreign keys reference a table that somebody has dropped.';
