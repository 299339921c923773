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
declare
    v_migration tenancy.tenant_migrations;
    v_settings jsonb;
    v_elsewhere text[];
    v_routines oid[];
    v_problem text;
begin
    -- Two that register at once take turns; nobody who reads waits.
    lock table tenancy.tenant_migrations in share row exclusive mode;

    select * into v_migration
    from tenancy.tenant_migrations m
    where m.version = register_tenant_migration.version;
    if found then
        if v_migration.statements = register_tenant_migration.statements
            and v_migration.callable_routines = register_tenant_migration.callable_routines
        then
            return;
        end if;
        raise exception 'Tenant migration % is registered already, with another text.', version
            using hint = 'Tenants may have received it. Register the change under a new version.';
    end if;
    if version <= tenancy.latest_tenant_version() then
        raise exception 'Tenant migration % comes too late: % is registered already.',
            version, tenancy.latest_tenant_version()
            using hint = 'Tenants that are past it would never receive it. Give it a version above all others.';
    end if;
    if statements ~ '\mtenant_template\M' then
        raise exception 'Tenant migration % names the reference schema.', version
            using hint = 'Leave names unqualified: it runs once in each tenant.';
    end if;

    insert into tenancy.tenant_migrations (version, name, statements, callable_routines)
    values (version, name, statements, callable_routines)
    returning * into v_migration;

    -- The reference schema goes first: what fails here fails the push, before any tenant.
    if to_regnamespace('tenant_template') is null then
        create schema tenant_template;
        comment on schema tenant_template is
            'The reference: what a tenant at the latest version looks like. Holds no rows and is never exposed.';
    end if;
    -- From here on it runs in sessions of the Data API, which others use after it.
    perform set_config('safeupdate.enabled', 'off', true);
    v_settings := tenancy.session_settings();
    v_elsewhere := tenancy.external_changes();
    v_routines := array(
        select p.oid from pg_catalog.pg_proc p where p.pronamespace = 'tenant_template'::regnamespace
    );
    perform tenancy.apply_tenant_migration('tenant_template', v_migration);

    select string_agg(s.key, ', ' order by s.key) into v_problem
    from jsonb_each(tenancy.session_settings()) s
    where s.value is distinct from v_settings -> s.key;
    if v_problem is not null then
        raise exception 'Tenant migration % leaves parameters changed: %.', version, v_problem
            using hint = 'It runs in sessions that others use after it. Remove SET from it.';
    end if;
    select string_agg(distinct substring(t.object from '^(.*) \('), ', ') into v_problem
    from unnest(tenancy.external_changes()) t (object)
    where t.object <> all (v_elsewhere);
    if v_problem is not null then
        raise exception 'Tenant migration % changes what is not the tenant''s: %.', version, v_problem
            using hint = 'It runs once in each tenant. What is needed once belongs before it, in the file itself.';
    end if;
    select string_agg(r.name, ', ') into v_problem
    from unnest(callable_routines) r (name)
    where not exists (
        select from pg_catalog.pg_proc p
        where p.proname = r.name and p.pronamespace = 'tenant_template'::regnamespace
    );
    if v_problem is not null then
        raise exception 'Tenant migration % declares callable what is not there: %.', version, v_problem
            using hint = 'callable_routines takes names of routines, without arguments.';
    end if;
    -- Callable are names: another routine of such a name would be open without a word.
    select string_agg(distinct p.proname::text, ', ') into v_problem
    from pg_catalog.pg_proc p
    where p.pronamespace = 'tenant_template'::regnamespace
        and p.oid <> all (v_routines)
        and p.proname <> all (callable_routines)
        and exists (
            select from tenancy.tenant_migrations m where p.proname = any (m.callable_routines)
        );
    if v_problem is not null then
        raise exception 'Tenant migration % makes a routine of a name that the API may call already: %.', version, v_problem
            using hint = 'Name it in callable_routines if the API may call this one, too; else call it otherwise.';
    end if;
    perform tenancy.require_template_shape();

    perform tenancy.apply_tenant_privileges('tenant_template');
    insert into tenancy.tenant_template_objects (version, object_kind, object_name, table_name, definition)
    select version, o.object_kind, o.object_name, o.table_name, o.definition
    from tenancy.schema_objects('tenant_template') o;
    perform tenancy.require_creatable(version);
end;
$$;

comment on function tenancy.register_tenant_migration(text, text, text, text[]) is
    'Adds a tenant migration and applies it to the reference schema; no tenant is touched, new tenants start with it, and one is created and taken back to see that they can. callable_routines names routines that the API may call. Repeating a registration changes nothing; another text under an old version, or a version below a registered one, is refused.';
