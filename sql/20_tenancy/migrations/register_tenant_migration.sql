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
    callable_routines text[] default '{}'
)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    if version like 'tenantry\_%' then
        raise exception 'Tenant migration % has a version with the prefix tenantry_, which is reserved for Tenantry''s own migrations. Give it another version, such as the timestamp that `tenantry new` writes.', version;
    end if;

    if statements ~ '^\s*$' then
        raise exception 'Tenant migration % is empty: fill it in, then push again. Its text cannot be changed once it is registered.', version;
    end if;

    perform tenancy.add_tenant_migration(version, name, statements, callable_routines);
end;
$$;

comment on function tenancy.register_tenant_migration(text, text, text, text[]) is
    'Registers a tenant migration of the project: see add_tenant_migration. A version with the prefix tenantry_ and an empty text are refused.';
