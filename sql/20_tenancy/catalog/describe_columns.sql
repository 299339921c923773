create function tenancy.describe_columns(relation oid)
    returns setof public.tenantry_table_column
    stable
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set extra_float_digits = 1
    set bytea_output = 'hex'
    set lc_monetary = 'C'
    set quote_all_identifiers = off
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
        a.attidentity <> '',
        col_description(a.attrelid, a.attnum)
    from pg_catalog.pg_attribute a
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    left join pg_catalog.pg_constraint k on k.conrelid = a.attrelid and k.contype = 'p'
    where a.attrelid = relation and a.attnum > 0 and not a.attisdropped
    order by a.attnum;
end;
$$;

comment on function tenancy.describe_columns(oid) is 'A table''s columns, as get_table_columns returns them.';
