create function tenancy.lock_latest_version()
    returns text
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '4s'
    language sql
as $$
    select m.version
    from tenancy.tenant_migrations m
    order by m.position desc
    limit 1
    for key share;
$$;

comment on function tenancy.lock_latest_version() is
    'The version at which a new tenant starts. Locks the migration, so that neither it nor an earlier one is withdrawn or replaced until the transaction ends (55P03).';
