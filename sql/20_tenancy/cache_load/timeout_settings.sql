create function tenancy.timeout_settings(role_name name, out in_this_database text, out in_all_databases text)
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        max(e.timeout) filter (where s.setdatabase <> 0),
        max(e.timeout) filter (where s.setdatabase = 0)
    from pg_catalog.pg_db_role_setting s
    cross join unnest(s.setconfig) c (entry)
    cross join substr(c.entry, length('statement_timeout=') + 1) e (timeout)
    where s.setrole = to_regrole(quote_ident(role_name))
        and s.setdatabase in (
            0, (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
        )
        and starts_with(c.entry, 'statement_timeout=');
$$;

comment on function tenancy.timeout_settings(name) is
    'The statement timeouts that a role has for this database and for all databases, as they were written. The first overrides the second when the role logs in. PostgREST reads only the second for the roles that it takes on.';
