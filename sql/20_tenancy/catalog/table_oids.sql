create function tenancy.table_oids(schema_name text)
    returns oid[]
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- From pg_depend, which has an index by schema, so that other schemas cost nothing. The
    -- indexes of pg_class do not begin with the schema.
    return array(
        select c.oid
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = to_regnamespace(quote_ident(schema_name))
            and d.classid = 'pg_class'::regclass
            and c.relkind in ('r', 'p')
    );
end;
$$;

comment on function tenancy.table_oids(text) is 'The oids of the tables in one schema.';
