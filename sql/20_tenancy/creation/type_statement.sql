create function tenancy.type_statement(type oid)
    returns text
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select case t.typtype
        when 'e' then format(
            'create type %s as enum (%s);',
            t.oid::regtype,
            (
                select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
                from pg_catalog.pg_enum e
                where e.enumtypid = t.oid
            )
        )
        when 'd' then concat_ws(
            ' ',
            format('create domain %s as %s', t.oid::regtype, format_type(t.typbasetype, t.typtypmod)),
            case when t.typcollation <> b.typcollation then 'collate ' || t.typcollation::regcollation end,
            'default ' || pg_get_expr(t.typdefaultbin, 0),
            case when t.typnotnull then 'not null' end,
            (
                select string_agg(format('constraint %I %s', k.conname, pg_get_constraintdef(k.oid)), ' ' order by k.conname)
                from pg_catalog.pg_constraint k
                where k.contypid = t.oid and k.contype = 'c'
            )
        ) || ';'
        when 'c' then format(
            'create type %s as (%s);',
            t.oid::regtype,
            (
                select string_agg(
                    concat_ws(
                        ' ',
                        quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
                        case when a.attcollation <> f.typcollation then 'collate ' || a.attcollation::regcollation end
                    ),
                    ', ' order by a.attnum
                )
                from pg_catalog.pg_attribute a
                join pg_catalog.pg_type f on f.oid = a.atttypid
                where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
            )
        )
    end
    from pg_catalog.pg_type t
    left join pg_catalog.pg_type b on b.oid = t.typbasetype
    where t.oid = type;
$$;

comment on function tenancy.type_statement(oid) is
    'The statement that creates an enum, a domain or a composite type.';
