create function tenancy.check_cache_load()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        case
            when s.role_name = 'authenticator' then 'schema cache load without time limit'
            else 'warning: API role without statement timeout'
        end,
        s.role_name,
        case
            when s.role_name = 'authenticator' then
                'The load of the schema cache has only 8 s. Where it takes longer, the Data API answers nobody.'
            else format(
                'The role %I has no statement timeout of its own, so its requests have the 60 s of authenticator.',
                s.role_name
            )
        end,
        s.statement,
        'select tenancy.set_cache_load_timeout();'
    from tenancy.cache_load_statements() s;
$$;

comment on function tenancy.check_cache_load() is
    'Check: the load of PostgREST''s schema cache has a statement timeout of its own, and so has each API role.';
