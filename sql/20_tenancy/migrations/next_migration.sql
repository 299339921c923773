create function tenancy.next_migration(version text)
    returns tenancy.tenant_migrations
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_migration tenancy.tenant_migrations;
begin
    select * into v_migration
    from tenancy.tenant_migrations m
    where m.version > next_migration.version
    order by m.version
    limit 1;

    return v_migration;
end;
$$;

comment on function tenancy.next_migration(text) is
    'The tenant migration that follows a version; null after the last.';
