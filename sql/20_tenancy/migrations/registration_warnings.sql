create function tenancy.registration_warnings(version text, name text, statements text, limit_seconds integer)
    returns setof text
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select format(
        'Tenant migration %s: tables of a tenant may be locked for %s seconds. The Data API waits for them when it loads its schema cache, and until then no tenant is served. Only `tenantry migrate` with the URL of the database gives so much time.',
        version, limit_seconds
    )
    where limit_seconds > 5
    union all
    select format(
        E'Tenant migration %s changes a table and updates its rows in one transaction, in which nobody uses the table. In a tenant with many rows it is cancelled after %s seconds. Unless all tenants are small, withdraw it and register it in phases:\n\n%s',
        version, limit_seconds, p.phases
    )
    from tenancy.phases_advice(version, name, statements) p (phases)
    where p.phases is not null;
$$;

comment on function tenancy.registration_warnings(text, text, text, integer) is
    'What a person has to know of a tenant migration before tenants receive it: that it locks tables for long, or that it could be phases.';
