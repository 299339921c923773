create function tenancy.template_clashes(schema_name text, objects tenancy.schema_object[])
    returns setof tenancy.adoption_step
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    with template as materialized (
        select o.*
        from public.tenants t
        cross join lateral tenancy.template_objects(template_clashes.schema_name, t.schema_version) o
        where t.schema_name = template_clashes.schema_name
    ),
    differences as materialized (
        select d.*,
            -- The layers of a table that has the template's shape are made again.
            d.object_kind in ('policy', 'trigger')
            or (
                d.object_kind = 'table'
                and regexp_replace(d.expected, ', (forced )?row level security', '', 'g')
                    = regexp_replace(d.found, ', (forced )?row level security', '', 'g')
            ) as is_layer
        from tenancy.template_differences(schema_name, objects) d
    ),
    present as materialized (
        select t.object_name
        from template t
        join unnest(objects) o on o.object_name = t.object_name and o.object_kind = 'table'
        where t.object_kind = 'table'
    )
    select 'refused', 'table', d.table_name,
        format(
            'The template has a table "%s" in another shape: %s.',
            d.table_name,
            string_agg(
                case when d.object_kind = 'table' then 'the table' else format('%s %s', d.object_kind, d.object_name) end
                || ' is ' || d.difference,
                ', ' order by d.object_kind, d.object_name
            )
        ),
        format('Rename the table, and what has its name, such as its indexes: alter table %I.%I rename to …;', schema_name, d.table_name)
    from differences d
    where not d.is_layer and d.table_name in (select p.object_name from present p)
    group by d.table_name
    union all
    select 'refused', 'table', t.object_name,
        format('The schema has other tables of the template, and no table "%s".', t.object_name),
        format(
            'Create it: create table %1$I.%2$I (like tenant_template.%2$I including all);%3$s or rename the other tables.',
            schema_name, t.object_name,
            (
                select string_agg(
                    format(' alter table %I.%I add constraint %I %s;', schema_name, t.object_name, substr(k.object_name, length(t.object_name) + 2), k.definition),
                    '' order by k.object_name
                )
                from template k
                where k.object_kind = 'constraint' and k.table_name = t.object_name and k.definition like 'FOREIGN KEY %'
            )
        )
    from template t
    where t.object_kind = 'table'
        and exists (select from present)
        and t.object_name not in (select p.object_name from present p)
        and not exists (
            select from differences d
            where not d.is_layer and d.table_name in (select p.object_name from present p)
        )
    union all
    -- What belongs to no table, or belongs to a table of the schema's own.
    select 'refused', o.kind, o.name,
        format('The template has an object of the name "%s".', o.name),
        format('Rename this %s.', o.kind)
    from (
        select case c.relkind
                when 'i' then 'index' when 'I' then 'index' when 'S' then 'sequence' when 'v' then 'view'
                when 'm' then 'materialized view' when 'f' then 'foreign table' when 'c' then 'type' else 'table'
            end as kind,
            c.relname::text as name, true as is_relation,
            coalesce(i.indrelid, s.refobjid) as owning_table
        from pg_catalog.pg_class c
        left join pg_catalog.pg_index i on i.indexrelid = c.oid
        left join pg_catalog.pg_depend s
            on s.classid = 'pg_class'::regclass and s.objid = c.oid and c.relkind = 'S'
                and s.refclassid = 'pg_class'::regclass and s.deptype in ('a', 'i')
        where c.relnamespace = to_regnamespace(quote_ident(schema_name))
            and c.relkind not in ('r', 'p')
        union all
        select 'type', y.typname::text, true, null
        from pg_catalog.pg_type y
        where y.typnamespace = to_regnamespace(quote_ident(schema_name)) and y.typtype in ('e', 'd', 'r')
        union all
        select 'routine', format('%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)), false, null
        from pg_catalog.pg_proc p
        where p.pronamespace = to_regnamespace(quote_ident(schema_name))
    ) o
    left join pg_catalog.pg_class w on w.oid = o.owning_table
    where coalesce(w.relname::text not in (select p.object_name from present p), true)
        and exists (
            select from template t
            where case
                when o.is_relation then
                    (t.object_kind in ('table', 'view', 'relation', 'sequence', 'type') and t.object_name = o.name)
                    or (t.object_kind = 'index' and substr(t.object_name, length(t.table_name) + 2) = o.name)
                else t.object_kind = 'routine' and t.object_name = o.name
            end
        )
        and (not exists (select from present) or w.relname is not null);
$$;

comment on function tenancy.template_clashes(text, tenancy.schema_object[]) is
    'What keeps a schema with these objects from becoming a tenant because the template, at the version in its registry row, has objects of the same names.';
