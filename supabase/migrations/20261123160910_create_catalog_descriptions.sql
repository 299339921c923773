create function tenancy.describe_table(relation oid)
    returns public.schema_table
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_table public.schema_table;
begin
    select
        c.relname,
        (
            select count(*)
            from pg_catalog.pg_attribute a
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        ),
        tenancy.row_estimate(c.oid),
        tenancy.table_bytes(c.oid),
        obj_description(c.oid, 'pg_class')
    into v_table
    from pg_catalog.pg_class c
    where c.oid = relation;

    return v_table;
end;
$$;

comment on function tenancy.describe_table(oid) is 'A table as get_schema_tables tells it.';

create function tenancy.row_estimate(relation oid)
    returns bigint
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- The statistics collector's live count is there before the first ANALYZE; the
    -- planner's is what is left after a crash has emptied the collector.
    return greatest(
        pg_stat_get_live_tuples(relation),
        (select c.reltuples::bigint from pg_catalog.pg_class c where c.oid = relation),
        0
    );
end;
$$;

comment on function tenancy.row_estimate(oid) is
    'About how many rows a table has, from statistics; nothing is counted.';

create function tenancy.table_bytes(relation oid)
    returns bigint
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return coalesce(pg_total_relation_size(relation), 0);
end;
$$;

comment on function tenancy.table_bytes(oid) is
    'A table''s size on disk with indexes and out-of-line values, in bytes.';

create function tenancy.describe_columns(relation oid)
    returns setof public.table_column
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    select
        a.attname::text,
        a.attnum::integer,
        format_type(a.atttypid, a.atttypmod),
        not a.attnotnull,
        pg_get_expr(d.adbin, d.adrelid),
        a.attnum = any (coalesce(k.conkey, '{}')),
        col_description(a.attrelid, a.attnum)
    from pg_catalog.pg_attribute a
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    left join pg_catalog.pg_constraint k on k.conrelid = a.attrelid and k.contype = 'p'
    where a.attrelid = relation and a.attnum > 0 and not a.attisdropped
    order by a.attnum;
end;
$$;

comment on function tenancy.describe_columns(oid) is 'A table''s columns as get_table_columns tells them.';

create function tenancy.describe_foreign_keys(relation oid)
    returns setof public.table_foreign_key
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- By oids, not by names: two tenants' constraints may well be called the same.
    return query
    select
        k.conname::text,
        tenancy.column_names(k.conrelid, k.conkey),
        c.relname::text,
        tenancy.column_names(k.confrelid, k.confkey),
        tenancy.foreign_key_action(k.confupdtype),
        tenancy.foreign_key_action(k.confdeltype)
    from pg_catalog.pg_constraint k
    join pg_catalog.pg_class c on c.oid = k.confrelid
    where k.conrelid = relation and k.contype = 'f'
    order by k.conname;
end;
$$;

comment on function tenancy.describe_foreign_keys(oid) is
    'A table''s foreign keys as get_table_foreign_keys tells them.';

create function tenancy.column_names(relation oid, numbers smallint[])
    returns text[]
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return array(
        select a.attname::text
        from unnest(numbers) with ordinality n (number, place)
        join pg_catalog.pg_attribute a on a.attrelid = relation and a.attnum = n.number
        order by n.place
    );
end;
$$;

comment on function tenancy.column_names(oid, smallint[]) is 'The names of these columns of a table, in this order.';

create function tenancy.foreign_key_action(code "char")
    returns text
    immutable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return case code
        when 'a' then 'NO ACTION'
        when 'r' then 'RESTRICT'
        when 'c' then 'CASCADE'
        when 'n' then 'SET NULL'
        when 'd' then 'SET DEFAULT'
    end;
end;
$$;

comment on function tenancy.foreign_key_action("char") is
    'What a foreign key does on update or delete, from its one-letter code in pg_constraint.';
