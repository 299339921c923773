create function tenancy.budget_usage(schema_name text)
    returns jsonb
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_tables constant oid[] := tenancy.table_oids(schema_name);
begin
    return jsonb_build_object(
        'columns', (
            select count(*) from pg_catalog.pg_attribute a
            where a.attrelid = any (v_tables) and a.attnum > 0 and not a.attisdropped
        ),
        'indexes', (select count(*) from pg_catalog.pg_index i where i.indrelid = any (v_tables)),
        'foreign_keys', (
            select count(*) from pg_catalog.pg_constraint c
            where c.conrelid = any (v_tables) and c.contype = 'f'
        ),
        'text_bytes', (
            select coalesce(sum(octet_length(pg_get_expr(d.adbin, d.adrelid))), 0)
            from pg_catalog.pg_attrdef d
            where d.adrelid = any (v_tables)
        ) + (
            select coalesce(sum(octet_length(d.description)), 0)
            from pg_catalog.pg_description d
            where d.classoid = 'pg_class'::regclass and d.objoid = any (v_tables)
        )
    );
end;
$$;

comment on function tenancy.budget_usage(text) is
    'What a tenant uses of the budgets in platform_settings: its columns, indexes and foreign keys, and the bytes of its defaults and comments.';
