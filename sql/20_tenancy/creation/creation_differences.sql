-- The replayed and the compiled schema have random names, which occur nowhere else.
create function tenancy.creation_differences(replayed text, compiled text)
    returns text
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    with descriptions as materialized (
        select d.schema_name, d.is_detail, d.kind,
            replace(d.name, d.schema_name, '{schema}') as name,
            replace(d.definition, d.schema_name, '{schema}') as definition
        from (
            select true as is_detail, t.schema_name, t.kind, t.name, t.definition
            from tenancy.schema_details(array[replayed, compiled, 'tenant_template']) t
            union all
            select false, s.name, o.object_kind, o.object_name, o.definition
            from unnest(array[replayed, compiled]) s (name)
            cross join lateral tenancy.schema_objects(s.name) o
        ) d
    ),
    compared as (
        select d.is_detail, d.kind, d.name,
            count(*) filter (where d.schema_name = replayed) as times_replayed,
            count(*) filter (where d.schema_name = compiled) as times_compiled,
            count(*) filter (where d.schema_name = 'tenant_template') as times_in_template
        from descriptions d
        group by d.is_detail, d.kind, d.name, d.definition
    )
    select string_agg(distinct concat_ws(' ', c.kind, c.name), ', ')
    from compared c
    where c.times_replayed <> c.times_compiled
        -- A text may depend on the schema's name in a way that no placeholder repeats. Nobody has
        -- privileges in the reference schema, and it has a comment of its own.
        or (
            c.is_detail
            and c.times_replayed <> c.times_in_template
            and c.kind not in ('privileges', 'comment of schema')
        );
$$;

comment on function tenancy.creation_differences(text, text) is
    'The objects in which a replayed and a compiled schema differ, except for their names; null if there is none. Objects that differ between the replayed and the reference schema count, too. Reads the whole catalog.';
