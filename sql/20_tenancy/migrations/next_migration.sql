create function tenancy.next_migration(version text)
    returns tenancy.tenant_migrations
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '2s'
    language sql
as $$
    select m.*
    from tenancy.tenant_migrations m
    where m.position > (
        select c.position from tenancy.tenant_migrations c where c.version = next_migration.version
    )
    order by m.position
    limit 1
    for key share of m;
$$;

comment on function tenancy.next_migration(text) is
    'The tenant migration that a tenant at this version receives next; null if there is none. Locks it, so that it is neither withdrawn nor replaced until the transaction ends (55P03).';
