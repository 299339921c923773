-- Written by `tenantry generate` from the version of the package `tenantry`.
create function tenancy.release()
    returns text
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    select '0.1.0';
$$;

comment on function tenancy.release() is
    'The release of Tenantry whose migrations this database has.';
