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
    v_warning text;
begin
    perform tenancy.require_project_registration(version, statements);
    perform tenancy.add_tenant_migration(version, name, statements, callable_routines, limit_seconds => limit_seconds);

    -- The Supabase CLI does not show it. get_migration_status repeats it until every tenant has the
    -- migration.
    for v_warning in select * from tenancy.registration_warnings(version, name, statements, limit_seconds) loop
        raise warning '%', v_warning;
    end loop;
end;
$$;

comment on function tenancy.register_tenant_migration(text, text, text, text[], integer) is
    'Registers a tenant migration of the project: see add_tenant_migration. It is cancelled in a tenant if it would keep tables locked for more than limit_seconds, 1 to 3600. A version with the prefix tenantry_ and an empty text are refused.';
