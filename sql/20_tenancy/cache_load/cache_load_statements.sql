-- PostgREST reads its schema cache as authenticator. Under the 8 s that Supabase gives this role,
-- a slow load fails, nobody is served, and PostgREST loads again at once.
create function tenancy.cache_load_statements(out role_name text, out statement text)
    returns setof record
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    with limits as (
        select s.in_all_databases as shared, s.in_this_database is null as is_missing
        from tenancy.timeout_settings('authenticator') s
        -- Everything else is the owner's decision.
        where case
            when s.in_this_database is null then s.in_all_databases = '8s'
            else s.in_this_database = '60s' and s.in_all_databases is not null
        end
    ),
    statements as (
        -- A role without a timeout of its own has that of authenticator. PostgREST reads the
        -- settings of its direct memberships. A role that cannot log in needs them nowhere else.
        select r.rolname, format('alter role %I set statement_timeout = %L;', r.rolname, l.shared) as statement
        from limits l
        join pg_catalog.pg_auth_members m on m.member = to_regrole('authenticator')
        join pg_catalog.pg_roles r on r.oid = m.roleid
        cross join tenancy.timeout_settings(r.rolname) s
        where not r.rolcanlogin
            and r.rolname !~ '^pg_'
            and s.in_all_databases is null
        union
        select
            'authenticator',
            format('alter role authenticator in database %I set statement_timeout = %L;', current_database(), '60s')
        from limits l
        where l.is_missing
    )
    select s.rolname::text, s.statement
    from statements s
    order by s.rolname = 'authenticator', s.rolname;
$$;

comment on function tenancy.cache_load_statements() is
    'The statements that give authenticator 60 s for a statement in this database, and each API role without a timeout the one that it had from authenticator. No rows if nothing is missing, or if the owner has set another timeout.';
