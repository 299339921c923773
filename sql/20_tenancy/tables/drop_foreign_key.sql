create function tenancy.drop_foreign_key(schema_name text, table_name text, constraint_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
begin
    -- Dropping a foreign key locks the referenced table, too.
    perform tenancy.lock_tables(
        schema_name,
        table_name || tenancy.referenced_tables(tenancy.require_table(schema_name, table_name))
    );

    execute format('alter table %I.%I drop constraint %I restrict', schema_name, table_name, constraint_name);
    perform tenancy.reload_schema_cache();
end;
$$;

comment on function tenancy.drop_foreign_key(text, text, text) is
    'Drops a foreign key of a tenant''s table. The index stays. Only under lock_tenant (PT404 table_not_found, 55P03).';
