create function tenancy.register_tenant_migration(version text, name text, statements text)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_migration tenancy.tenant_migrations;
begin
    select * into v_migration
    from tenancy.tenant_migrations m
    where m.version = register_tenant_migration.version;

    if found then
        if v_migration.statements = register_tenant_migration.statements then
            return;
        end if;
        raise exception 'Tenant migration % is registered already, with another text.', version
            using hint = 'Tenants may have received it. Register the change under a new version.';
    end if;

    insert into tenancy.tenant_migrations (version, name, statements)
    values (version, name, statements)
    returning * into v_migration;

    -- The reference schema goes first: what fails here fails the push.
    if to_regnamespace('tenant_template') is null then
        create schema tenant_template;
        comment on schema tenant_template is
            'The reference: what a tenant at the latest version looks like. Holds no rows and is never exposed.';
    end if;
    perform tenancy.apply_tenant_migration('tenant_template', v_migration);
    perform tenancy.apply_tenant_privileges('tenant_template');
end;
$$;

comment on function tenancy.register_tenant_migration(text, text, text) is
    'Adds a tenant migration and applies it to the reference schema; new tenants start with it. Repeating a registration changes nothing; another text under an old version is refused.';
