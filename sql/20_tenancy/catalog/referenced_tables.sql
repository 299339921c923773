create function tenancy.referenced_tables(relation oid)
    returns text[]
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return array(
        select distinct c.relname::text
        from pg_catalog.pg_constraint k
        join pg_catalog.pg_class c on c.oid = k.confrelid
        where k.conrelid = relation
            and k.contype = 'f'
            and c.relnamespace = (select t.relnamespace from pg_catalog.pg_class t where t.oid = relation)
    );
end;
$$;

comment on function tenancy.referenced_tables(oid) is
    'Names of the tables of the same schema that a table''s foreign keys refer to. Dropping the keys locks these tables, too.';
