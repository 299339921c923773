-- Tenantry's own tenant migrations arrive with an upgrade, under versions that begin with
-- tenantry_. If a project had registered such a version before, the upgrade would fail. So
-- this function, which projects call, refuses the prefix, and Tenantry's own baseline and
-- upgrade files call add_tenant_migration, which does the work and takes any version.
--
-- Both are definers, so that the reference schema belongs to their owner and not to the role
-- that pushes.
create function tenancy.register_tenant_migration(
    version text,
    name text,
    statements text,
    callable_routines text[] default '{}',
    limit_seconds integer default 5
)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_phases text;
begin
    perform tenancy.require_project_registration(version, statements);
    if limit_seconds > 5 then
        raise warning 'Tenant migration %: tables of a tenant may be locked for % seconds. The Data API waits for them when it loads its schema cache, and until then no tenant is served. Only `tenantry migrate` with the URL of the database gives so much time.', version, limit_seconds;
    end if;

    perform tenancy.add_tenant_migration(version, name, statements, callable_routines, limit_seconds => limit_seconds);

    v_phases := tenancy.phases_advice(version, name, statements);
    if v_phases is not null then
        raise warning E'Tenant migration % changes a table and updates its rows in one transaction, in which nobody uses the table. In a tenant with many rows it is cancelled after % seconds. Unless all tenants are small, withdraw it and register it in phases:\n\n%', version, limit_seconds, v_phases;
    end if;
end;
$$;

comment on function tenancy.register_tenant_migration(text, text, text, text[], integer) is
    'Registers a tenant migration of the project: see add_tenant_migration. It is cancelled in a tenant if it would keep tables locked for more than limit_seconds, 1 to 3600. A version with the prefix tenantry_ and an empty text are refused.';
