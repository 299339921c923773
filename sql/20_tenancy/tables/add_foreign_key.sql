create function tenancy.add_foreign_key(
    schema_name text,
    table_name text,
    column_name text,
    foreign_table text,
    foreign_column text,
    on_delete text,
    on_update text
)
    returns text
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
declare
    v_table constant oid := tenancy.require_table(schema_name, table_name);
    v_number constant smallint := tenancy.require_column(schema_name, table_name, column_name);
    v_foreign_table constant oid := tenancy.require_table(schema_name, foreign_table);
    v_foreign_number constant smallint := tenancy.require_column(schema_name, foreign_table, foreign_column);
    v_on_delete constant text := tenancy.require_foreign_key_action(on_delete);
    v_on_update constant text := tenancy.require_foreign_key_action(on_update);
    v_constraint_name text;
begin
    -- With two equal keys, PostgREST could not choose one when a client embeds the other table.
    v_constraint_name := tenancy.find_foreign_key(v_table, v_number, v_foreign_table, v_foreign_number);
    if v_constraint_name is not null then
        raise exception 'Column "%" of table "%" points at "%" of table "%" already, by the foreign key "%".',
            column_name, table_name, foreign_column, foreign_table, tenancy.printable(v_constraint_name)
            using errcode = 'PT409', detail = 'constraint_exists',
                hint = 'To change the actions on delete or update, first drop this foreign key with drop_foreign_key.';
    end if;
    if exists (
        select from pg_catalog.pg_attribute a
        where a.attrelid = v_table and a.attnum = v_number and a.attnotnull
            and ('SET NULL' in (v_on_delete, v_on_update)
                or ('SET DEFAULT' in (v_on_delete, v_on_update) and not a.atthasdef))
    ) then
        raise exception 'Column "%" of table "%" cannot be null, and this foreign key would set it to null.',
            column_name, table_name
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Use CASCADE or RESTRICT, or a column that may be null.';
    end if;
    perform tenancy.lock_tables(schema_name, array[table_name, foreign_table], 'share row exclusive');

    -- Without an index, every delete in the other table would read this whole table.
    if not exists (
        select from pg_catalog.pg_index i where i.indrelid = v_table and i.indkey[0] = v_number
    ) then
        execute format('create index on %I.%I (%I)', schema_name, table_name, column_name);
    end if;

    -- PostgreSQL chooses a name for the constraint that is free and short enough.
    execute format(
        'alter table %1$I.%2$I add foreign key (%3$I) references %1$I.%4$I (%5$I) on delete %6$s on update %7$s not valid',
        schema_name, table_name, column_name, foreign_table, foreign_column, v_on_delete, v_on_update
    );
    v_constraint_name := tenancy.find_foreign_key(v_table, v_number, v_foreign_table, v_foreign_number);
    execute format('alter table %I.%I validate constraint %I', schema_name, table_name, v_constraint_name);
    perform tenancy.reload_schema_cache();

    return v_constraint_name;
exception
    when foreign_key_violation then
        raise exception 'Table "%" has values in column "%" that table "%" does not have in column "%".',
            table_name, column_name, foreign_table, foreign_column
            using errcode = 'PT409', detail = 'foreign_key_violation',
                hint = 'Nothing was changed. Correct those rows and try again.';
    when invalid_foreign_key then
        raise exception 'Column "%" of table "%" is neither its primary key nor unique.', foreign_column, foreign_table
            using errcode = 'PT409', detail = 'foreign_key_target',
                hint = 'Choose a primary key or a unique column.';
    when datatype_mismatch then
        raise exception 'Column "%" of table "%" and column "%" of table "%" have types that cannot be compared.',
            column_name, table_name, foreign_column, foreign_table
            using errcode = 'PT400', detail = 'invalid_column_type',
                hint = 'Give both columns the same type.';
    when program_limit_exceeded then
        raise exception 'Values of column "%" are too long for the index that a foreign key needs: %.', column_name, sqlerrm
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Nothing was changed. Use a column of short values, such as a uuid.';
    when undefined_object then
        raise exception 'A column of type json cannot be part of a foreign key.'
            using errcode = 'PT400', detail = 'invalid_column_type', hint = 'Use another column.';
end;
$$;

comment on function tenancy.add_foreign_key(text, text, text, text, text, text, text) is
    'Adds a foreign key between two tables of one tenant, with an index, validates it, and returns its name. Until the transaction ends, writers of both tables wait, and readers do not. Only under lock_tenant (PT400 invalid_column_type; PT404: table_not_found, column_not_found; PT409: constraint_exists, foreign_key_violation, foreign_key_target; PT422 invalid_request; 55P03).';
