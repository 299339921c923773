create function tenancy.cache_load_limit()
    returns integer
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select nullif(
        case
            when t.timeout ~ '^\d+$' then t.timeout::numeric
            when t.timeout ~ '^\d+ *(ms|s|min|h)$' then extract(epoch from t.timeout::interval) * 1000
        end,
        0
    )::integer
    from tenancy.timeout_settings('authenticator') s
    cross join lateral (select coalesce(s.in_this_database, s.in_all_databases)) t (timeout);
$$;

comment on function tenancy.cache_load_limit() is
    'How many milliseconds a statement of the load of the schema cache may take. Null if authenticator has no limit.';
