create function tenancy.find_foreign_key(
    relation oid,
    column_number smallint,
    foreign_relation oid,
    foreign_number smallint
)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return (
        select k.conname::text
        from pg_catalog.pg_constraint k
        where k.conrelid = relation
            and k.contype = 'f'
            and k.conkey = array[column_number]
            and k.confrelid = foreign_relation
            and k.confkey = array[foreign_number]
        -- PostgreSQL allows a second equal key, which the project's own SQL may have added.
        order by k.conname
        limit 1
    );
end;
$$;

comment on function tenancy.find_foreign_key(oid, smallint, oid, smallint) is
    'Name of the foreign key from one column to another; null if there is none.';
