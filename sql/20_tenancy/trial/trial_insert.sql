create function tenancy.trial_insert(relation oid, with_nullable boolean)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return (
        select format('insert into %s ', relation::regclass) || case count(*)
            when 0 then 'default values'
            else format(
                '(%s) values (%s)',
                string_agg(quote_ident(a.attname), ', ' order by a.attnum),
                string_agg(coalesce(v.value, 'null'), ', ' order by a.attnum)
            )
        end
        from pg_catalog.pg_attribute a
        cross join lateral tenancy.trial_value(a.atttypid, a.atttypmod) v (value)
        where a.attrelid = relation
            and a.attnum > 0
            and not a.attisdropped
            and a.attidentity = ''
            and not a.atthasdef
            and (a.attnotnull or (with_nullable and v.value is not null))
    );
end;
$$;

comment on function tenancy.trial_insert(oid, boolean) is
    'A statement that inserts one row into a table: defaults where there are any, and made-up values in the other columns, or in those of them that must not be null.';
