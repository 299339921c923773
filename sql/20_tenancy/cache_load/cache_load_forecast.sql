-- A load costs 0.1 s at once, something for each relation, and something for each pair. With ten
-- to five thousand tenants of three tables, measured on two cores, the last two are equal at
-- about 5,000 relations.
create function tenancy.cache_load_forecast(
    assumed_milliseconds float8 default null,
    out limit_seconds integer,
    out tenants integer
)
    returns setof record
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    with recent as (
        -- The slower ones: a forecast is made for a busy moment.
        select coalesce(
            percentile_cont(0.75) within group (
                order by greatest(m.milliseconds - 100, m.milliseconds / 10.0)
                    / (m.relation_count * (1 + m.relation_count / 5000.0))
            ),
            assumed_milliseconds
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
        select coalesce(
            (
                select m.relation_count / m.tenant_count::float8
                from tenancy.cache_load_measurements m
                where m.relation_count >= 300 and m.tenant_count > 0
                order by m.measured_at desc
                limit 1
            ),
            (
                select count(*)::float8
                from pg_catalog.pg_class c
                where c.relnamespace = to_regnamespace('tenant_template') and c.relkind in ('r', 'p', 'v', 'm', 'f')
            )
        ) as relations_of_tenant
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
    where r.milliseconds_each > 0 and l.relations_of_tenant > 0
    order by s.seconds;
$$;

comment on function tenancy.cache_load_forecast(float8) is
    'With how many tenants, of as many tables as those here have, a load of the schema cache takes 8, 30 and 60 seconds. Before it was measured with 300 tables there are no rows, unless the caller assumes how many milliseconds a table takes, where there are few.';
