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
    from tenancy.cache_load_statements() s
    union all
    select
        'warning: slow schema cache load',
        'authenticator',
        format(
            'The load of the schema cache took %s s with %s tenants, and may take %s s. Past that the Data API answers nobody.%s',
            round(m.milliseconds / 1000.0, 1), m.tenant_count, round(l.milliseconds / 1000.0, 1),
            (
                select ' By the forecast it takes ' || string_agg(
                    format('%s s with %s tenants', f.limit_seconds, f.tenants), ', ' order by f.limit_seconds
                ) || '.'
                from tenancy.cache_load_forecast() f
            )
        ),
        'Run the doctor again when the database is less busy. If the load stays slow, give the database more '
            'processor time, or spread the tenants over two projects.',
        null
    from (
        select c.milliseconds, c.tenant_count
        from tenancy.cache_load_measurements c
        order by c.measured_at desc
        limit 1
    ) m
    join tenancy.cache_load_limit() l (milliseconds) on m.milliseconds > l.milliseconds / 2;
$$;

comment on function tenancy.check_cache_load() is
    'Check: the load of PostgREST''s schema cache has a statement timeout of its own, so has each API role, and the last measured load took at most half of it.';
