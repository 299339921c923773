create function tenancy.add_tenant_migration(
    version text,
    name text,
    statements text,
    callable_routines text[] default '{}',
    phase tenancy.migration_phase default 'change',
    limit_seconds integer default 5,
    batch integer default null,
    audit_rows boolean default false
)
    returns void
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set extra_float_digits = 1
    set bytea_output = 'hex'
    set lc_monetary = 'C'
    set quote_all_identifiers = off
    language plpgsql
as $$
declare
    v_migration tenancy.tenant_migrations;
    v_tables_before oid[];
    v_routines_before oid[];
begin
    perform tenancy.require_registration_numbers(version, limit_seconds, batch, audit_rows);
    -- Registrations take turns, so that positions are unique and without gaps. Readers and new
    -- tenants do not wait.
    lock table tenancy.tenant_migrations in share row exclusive mode;

    select * into v_migration
    from tenancy.tenant_migrations m
    where m.version = add_tenant_migration.version;
    if found then
        if v_migration.statements = add_tenant_migration.statements
            and v_migration.callable_routines = add_tenant_migration.callable_routines
            and v_migration.phase = add_tenant_migration.phase
        then
            -- How a tenant receives it may change at any time; what it receives may not.
            update tenancy.tenant_migrations m
            set limit_seconds = add_tenant_migration.limit_seconds,
                batch = add_tenant_migration.batch,
                audit_rows = add_tenant_migration.audit_rows
            where m.version = v_migration.version
                and (m.limit_seconds, m.batch, m.audit_rows) is distinct from (
                    add_tenant_migration.limit_seconds, add_tenant_migration.batch, add_tenant_migration.audit_rows
                );
            return;
        end if;
        raise exception 'Tenant migration % is registered already, with another text. Tenants may have received it: register the change under a new version.', version;
    end if;
    perform tenancy.require_registration(version, name, statements, callable_routines);

    insert into tenancy.tenant_migrations
        (version, position, name, statements, callable_routines, phase, limit_seconds, batch, audit_rows)
    values (
        version,
        (select coalesce(max(m.position), 0) + 1 from tenancy.tenant_migrations m),
        name, statements, callable_routines, phase, limit_seconds, batch, audit_rows
    )
    returning * into v_migration;

    -- The reference schema gets the migration first: a failure here fails the push, before any
    -- tenant is changed.
    v_tables_before := tenancy.table_oids('tenant_template');
    v_routines_before := array(
        select p.oid from pg_catalog.pg_proc p where p.pronamespace = to_regnamespace('tenant_template')
    );
    perform tenancy.advance_reference(v_migration);
    perform tenancy.require_creatable(version, tenancy.tables_to_try(v_tables_before, v_routines_before));
end;
$$;

comment on function tenancy.add_tenant_migration(text, text, text, text[], tenancy.migration_phase, integer, integer, boolean) is
    'Adds a tenant migration after all that this database has registered, and applies it to the reference schema. Existing tenants stay as they are, new tenants start with it. One tenant is created and rolled back, to show that tenants can be created. callable_routines names routines that the API may call. Warns of each table that no client can reach any more. Repeating a registration changes nothing but limit_seconds, batch and audit_rows; another text under a registered version is refused.';
