create function tenancy.pre_request_settings(out in_this_database text, out in_all_databases text)
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        max(e.name) filter (where s.setdatabase <> 0),
        max(e.name) filter (where s.setdatabase = 0)
    from pg_catalog.pg_db_role_setting s
    cross join unnest(s.setconfig) c (entry)
    cross join substr(c.entry, length('pgrst.db_pre_request=') + 1) e (name)
    where s.setrole = 'authenticator'::regrole
        and s.setdatabase in (
            0, (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
        )
        and starts_with(c.entry, 'pgrst.db_pre_request=');
$$;

comment on function tenancy.pre_request_settings() is
    'The function that the Data API calls before each request, by the settings of PostgREST''s role. The first setting overrides the second one, also with an empty text.';
