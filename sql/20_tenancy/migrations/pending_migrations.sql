create function tenancy.pending_migrations(version text)
    returns integer
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return (
        select count(*)::integer from tenancy.tenant_migrations m where m.version > pending_migrations.version
    );
end;
$$;

comment on function tenancy.pending_migrations(text) is 'How many tenant migrations follow a version.';
