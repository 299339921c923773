create function tenancy.table_statement(relation oid)
    returns text
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select format(
        'create %stable %s (%s)%s;',
        case c.relpersistence when 'u' then 'unlogged ' end,
        c.oid::regclass,
        concat_ws(
            ', ',
            (
                select string_agg(
                    concat_ws(
                        ' ',
                        quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
                        case when a.attcollation <> t.typcollation then 'collate ' || a.attcollation::regcollation end,
                        case
                            when a.attgenerated = 's' then
                                format('generated always as (%s) stored', pg_get_expr(d.adbin, d.adrelid))
                            when a.attidentity <> '' then format(
                                'generated %s as identity (sequence name %s start with %s increment by %s minvalue %s maxvalue %s cache %s %s)',
                                case a.attidentity when 'a' then 'always' else 'by default' end,
                                s.seqrelid::regclass, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache,
                                case when s.seqcycle then 'cycle' else 'no cycle' end
                            )
                            else 'default ' || pg_get_expr(d.adbin, d.adrelid)
                        end,
                        case when a.attnotnull then 'not null' end
                    ),
                    ', ' order by a.attnum
                )
                from pg_catalog.pg_attribute a
                join pg_catalog.pg_type t on t.oid = a.atttypid
                left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
                left join pg_catalog.pg_depend i
                    on i.refclassid = 'pg_class'::regclass
                    and i.refobjid = a.attrelid
                    and i.refobjsubid = a.attnum
                    and i.classid = 'pg_class'::regclass
                    and i.deptype = 'i'
                left join pg_catalog.pg_sequence s on s.seqrelid = i.objid
                where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            ),
            (
                select string_agg(format('constraint %I %s', k.conname, pg_get_constraintdef(k.oid)), ', ' order by k.conname)
                from pg_catalog.pg_constraint k
                where k.conrelid = c.oid and k.contype in ('p', 'u', 'c', 'x') and k.convalidated
            )
        ),
        tenancy.relation_options(c.reloptions)
    )
    from pg_catalog.pg_class c
    where c.oid = relation;
$$;

comment on function tenancy.table_statement(oid) is
    'The statement that creates a table with its columns, keys and checks.';
