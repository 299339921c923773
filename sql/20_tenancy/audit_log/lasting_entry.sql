create function tenancy.lasting_entry(schema_name text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    -- A tenant's log has changes of rows only. In the platform's log, the deletion of a tenant
    -- removes a whole audit log, whose last head is in that entry, and a restoration brings
    -- another one. An adoption exposes rows that the project kept elsewhere.
    select case
        when schema_name = 'public' then '(e.action ~ ''^(access|admin|audit|support)\.'' or e.action in (''tenant.adopt'', ''tenant.delete'', ''tenant.restore''))'
        else 'false'
    end;
$$;

comment on function tenancy.lasting_entry(text) is
    'Whether an entry of a log outlives every pruning, as an SQL expression over the alias e: an entry on access, on support access, on administrators, on an adopted schema or on an audit log itself.';
