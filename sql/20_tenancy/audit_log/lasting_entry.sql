create function tenancy.lasting_entry()
    returns text
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    -- The deletion of a tenant removes a whole audit log, whose last head is in that entry. A
    -- restoration brings another one.
    select '(e.action ~ ''^(access|admin|audit)\.'' or e.action in (''tenant.delete'', ''tenant.restore''))';
$$;

comment on function tenancy.lasting_entry() is
    'Whether an entry outlives every pruning, as an SQL expression over the alias e: an entry on access, on administrators or on an audit log itself.';
