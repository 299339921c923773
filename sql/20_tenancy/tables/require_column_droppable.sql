create function tenancy.require_column_droppable(schema_name text, table_name text, column_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_table constant oid := tenancy.require_table(schema_name, table_name);
    v_number constant smallint := tenancy.require_column(schema_name, table_name, column_name);
    v_dependents text;
begin
    -- PostgreSQL would drop the column's constraints with the column, without an error. Only a
    -- unique constraint on this column alone may be dropped with it.
    select string_agg(format('%s of table "%s"', quote_ident(k.conname), c.relname), ', ' order by k.conname)
    into v_dependents
    from pg_catalog.pg_constraint k
    join pg_catalog.pg_class c on c.oid = k.conrelid
    where (
            k.conrelid = v_table
            and v_number = any (k.conkey)
            and (k.contype in ('p', 'f', 'c', 'x') or (k.contype = 'u' and cardinality(k.conkey) > 1))
        )
        or (k.confrelid = v_table and v_number = any (k.confkey));

    if v_dependents is not null then
        raise exception 'Other objects depend on column "%" of table "%": %.', column_name, table_name, v_dependents
            using errcode = 'PT409', detail = 'has_dependents',
                hint = 'Drop those objects first, for example with drop_foreign_key. A primary key stays as long as its table.';
    end if;
end;
$$;

comment on function tenancy.require_column_droppable(text, text, text) is
    'Refuses to drop a column that is part of a key or of another constraint, or that a foreign key points at (PT404: table_not_found, column_not_found; PT409 has_dependents).';
