create function tenancy.split_key(relation regclass, column_name text)
    returns text[]
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select array_agg(a.attname::text order by k.place)
    from pg_catalog.pg_index i
    cross join lateral unnest(i.indkey::smallint[]) with ordinality k (number, place)
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number
    where i.indrelid = split_key.relation and i.indisprimary and a.attname <> column_name;
$$;

comment on function tenancy.split_key(regclass, text) is
    'The columns of a table''s primary key, without the column that names the tenant: what identifies a row within one tenant. Null if there is none.';
