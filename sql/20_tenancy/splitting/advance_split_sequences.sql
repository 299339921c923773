create function tenancy.advance_split_sequences(split tenancy.tenants_splits)
    returns void
    volatile
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_statements constant record := tenancy.split_statements(
        split.relation, split.column_name, split.value, split.schema_name
    );
    v_sequence record;
begin
    for v_sequence in
        select distinct d.objid::regclass as name, a.attname::text as column_name
        from pg_catalog.pg_attribute a
        cross join lateral (
            -- The sequence of an identity or serial column, and one that the default names.
            select o.objid
            from pg_catalog.pg_depend o
            where o.classid = 'pg_class'::regclass and o.refclassid = 'pg_class'::regclass
                and o.refobjid = a.attrelid and o.refobjsubid = a.attnum and o.deptype in ('a', 'i')
            union all
            select u.refobjid
            from pg_catalog.pg_attrdef f
            join pg_catalog.pg_depend u
                on u.classid = 'pg_attrdef'::regclass and u.objid = f.oid and u.refclassid = 'pg_class'::regclass
            where f.adrelid = a.attrelid and f.adnum = a.attnum
        ) d
        join pg_catalog.pg_sequence q on q.seqrelid = d.objid and q.seqincrement > 0
        where a.attrelid = v_statements.target
            and a.attname = any (v_statements.compared_columns)
            and a.atttypid in ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype)
    loop
        execute format(
            'select setval(%L::regclass, m.largest) from (select max(s.%I) as largest from %s s where %s) m, %s q'
            ' where m.largest > q.last_value or (m.largest = q.last_value and not q.is_called)',
            v_sequence.name, v_sequence.column_name, split.relation, v_statements.is_of_value, v_sequence.name
        );
    end loop;
end;
$$;

comment on function tenancy.advance_split_sequences(tenancy.tenants_splits) is
    'Sets the sequences of the tenant''s table past the largest values of the source''s rows. No sequence is set back.';
