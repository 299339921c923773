create function tenancy.split_references(relation regclass)
    returns table (referenced regclass)
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select k.confrelid::regclass
    from pg_catalog.pg_constraint k
    where k.conrelid = split_references.relation and k.contype = 'f'
    union
    -- The template may have a foreign key that the project has not.
    select s.oid::regclass
    from pg_catalog.pg_class c
    join pg_catalog.pg_constraint k
        on k.conrelid = tenancy.find_table('tenant_template', c.relname) and k.contype = 'f'
    join pg_catalog.pg_class f on f.oid = k.confrelid and f.relnamespace = to_regnamespace('tenant_template')
    join pg_catalog.pg_class s on s.relname = f.relname and s.relnamespace = c.relnamespace
    where c.oid = split_references.relation;
$$;

comment on function tenancy.split_references(regclass) is
    'The tables that a table references, or that it would reference if it had the foreign keys of the template''s table.';
