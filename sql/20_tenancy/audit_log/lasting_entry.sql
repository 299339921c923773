create function tenancy.lasting_entry(schema_name text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    -- A tenant's log has changes of rows only. In the platform's log, the deletion of a tenant
    -- removes a whole audit log, whose last head is in that entry, and a restoration brings
    -- another one.
    select case
        when schema_name = 'public' then '(e.action ~ ''^(access|admin|audit)\.'' or e.action in (''tenant.delete'', ''tenant.restore''))'
        else 'false'
    end;
$$;

comment on function tenancy.lasting_entry(text) is
    'Whether an entry of a log outlives every pruning, as an SQL expression over the alias e: an entry on access, on administrators or on an audit log itself.';
