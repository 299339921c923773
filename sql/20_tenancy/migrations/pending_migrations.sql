create function tenancy.pending_migrations(version text)
    returns integer
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select count(*)::integer
    from tenancy.tenant_migrations m
    where m.position > (
        select c.position from tenancy.tenant_migrations c where c.version = pending_migrations.version
    );
$$;

comment on function tenancy.pending_migrations(text) is
    'How many tenant migrations a tenant at this version still lacks.';
