create function tenancy.split_unreferenced(relation oid, alias text)
    returns text
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select coalesce(
        string_agg(
            format(
                ' and not exists (select from %s r where %s%s)',
                k.conrelid::regclass,
                -- A row may reference itself.
                case when k.conrelid = k.confrelid then format('(r.tableoid, r.ctid) <> (%1$I.tableoid, %1$I.ctid) and ', alias) end,
                (
                    select string_agg(format('r.%I = %s.%I', a.attname, alias, f.attname), ' and ')
                    from unnest(k.conkey, k.confkey) c (referencing, referenced)
                    join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = c.referencing
                    join pg_catalog.pg_attribute f on f.attrelid = k.confrelid and f.attnum = c.referenced
                )
            ),
            ''
        ),
        ''
    )
    from pg_catalog.pg_constraint k
    where k.contype = 'f' and k.confrelid = relation and k.conparentid = 0;
$$;

comment on function tenancy.split_unreferenced(oid, text) is
    'SQL, to follow a condition: no foreign key references the row of this alias. A foreign key may delete or change the rows that reference a deleted one, and nobody has compared these.';
