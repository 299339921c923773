create function tenancy.split_deletion_findings(relations regclass[])
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select 'foreign key', format('%s.%I', k.conrelid::regclass, k.conname),
        format('It references %s, whose rows would be deleted.', k.confrelid::regclass),
        format('Split %1$s, too; or: alter table %1$s drop constraint %2$I;', k.conrelid::regclass, k.conname),
        null
    from pg_catalog.pg_constraint k
    where k.contype = 'f' and k.confrelid = any (relations) and k.conrelid <> all (relations) and k.conparentid = 0
    union all
    select 'warning: index', format('%s.%I', k.conrelid::regclass, k.conname),
        format('No index begins with the columns of this key, so %s is read once for each deleted row.', k.conrelid::regclass),
        format(
            'create index concurrently on %s (%s);',
            k.conrelid::regclass,
            (
                select string_agg(quote_ident(a.attname), ', ' order by c.place)
                from unnest(k.conkey) with ordinality c (number, place)
                join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = c.number
            )
        ),
        null
    from pg_catalog.pg_constraint k
    where k.contype = 'f' and k.confrelid = any (relations) and k.conparentid = 0
        and tenancy.row_estimate(k.conrelid) > 1000
        and not exists (
            select
            from pg_catalog.pg_index i
            where i.indrelid = k.conrelid and i.indpred is null
                and (i.indkey::smallint[])[0:cardinality(k.conkey) - 1] @> k.conkey
        );
$$;

comment on function tenancy.split_deletion_findings(regclass[]) is
    'Foreign keys by which tables outside of this list reference tables in it, and which keep `tenantry split --delete-source` from deleting; and warnings.';
