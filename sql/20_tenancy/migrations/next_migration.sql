create function tenancy.next_migration(version text)
    returns tenancy.tenant_migrations
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select m.*
    from tenancy.tenant_migrations m
    where m.position > (
        select c.position from tenancy.tenant_migrations c where c.version = next_migration.version
    )
    order by m.position
    limit 1;
$$;

comment on function tenancy.next_migration(text) is
    'The tenant migration that a tenant at this version receives next; null if there is none.';
