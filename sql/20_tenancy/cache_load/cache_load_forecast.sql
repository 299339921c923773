-- A load costs 0.1 s at once, something for each relation, and something for each pair. With ten
-- to five thousand tenants of three tables, measured on two cores, the last two are equal at
-- about 5,000 relations.
create function tenancy.cache_load_forecast(out limit_seconds integer, out tenants integer)
    returns setof record
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    with recent as (
        -- The slower ones: a forecast is made for a busy moment.
        select percentile_cont(0.75) within group (
            order by greatest(m.milliseconds - 100, m.milliseconds / 10.0)
                / (m.relation_count * (1 + m.relation_count / 5000.0))
        ) as milliseconds_each
        from (
            select m.milliseconds, m.relation_count
            from tenancy.cache_load_measurements m
            -- Fewer say nothing of many.
            where m.relation_count >= 300
            order by m.measured_at desc
            limit 10
        ) m
    ),
    latest as (
        select m.relation_count / m.tenant_count::float8 as relations_of_tenant
        from tenancy.cache_load_measurements m
        where m.relation_count >= 300 and m.tenant_count > 0
        order by m.measured_at desc
        limit 1
    )
    select
        s.seconds,
        -- Solves r + r² / 5000 = time / milliseconds_each.
        floor(
            2500 * (sqrt(1 + s.seconds * 1000 / (1250 * r.milliseconds_each)) - 1) / l.relations_of_tenant
        )::integer
    from recent r
    cross join latest l
    cross join unnest(array[8, 30, 60]) s (seconds)
    where r.milliseconds_each > 0
    order by s.seconds;
$$;

comment on function tenancy.cache_load_forecast() is
    'With how many tenants, of as many tables as those here have, a load of the schema cache takes 8, 30 and 60 seconds. No rows before it was measured with 300 tables.';
