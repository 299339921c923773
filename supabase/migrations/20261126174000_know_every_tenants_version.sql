-- A tenant restored at a version that this project does not know was compared with nothing and
-- protected by nothing. And a version of fewer digits than a time has would come last for ever.
alter table tenancy.tenant_migrations
    drop constraint tenant_migrations_version_is_number,
    add constraint tenant_migrations_version_is_time check (version = '0' or version ~ '^[0-9]{14}$');

alter table public.tenants
    add constraint tenants_schema_version_fkey foreign key (schema_version)
        references tenancy.tenant_migrations (version);

-- By what it is, not by the highest oid, which starts from below one day.
create or replace function tenancy.add_foreign_key(
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
    security definer
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
    -- With two, PostgREST cannot tell which one a client that embeds the other table means.
    select k.conname into v_constraint_name
    from pg_catalog.pg_constraint k
    where k.conrelid = v_table and k.contype = 'f'
        and k.conkey = array[v_number]
        and k.confrelid = v_foreign_table
        and k.confkey = array[v_foreign_number];
    if found then
        raise exception 'Column "%" of table "%" points at "%" of table "%" already, by the foreign key "%".',
            column_name, table_name, foreign_column, foreign_table, tenancy.printable(v_constraint_name)
            using errcode = 'PT409', detail = 'constraint_exists',
                hint = 'To change what happens on delete or update, drop it first with drop_foreign_key.';
    end if;
    perform tenancy.lock_tables(schema_name, array[table_name, foreign_table], 'share row exclusive');

    -- Without it, every delete on the other side reads this whole table.
    if not exists (
        select from pg_catalog.pg_index i where i.indrelid = v_table and i.indkey[0] = v_number
    ) then
        execute format('create index on %I.%I (%I)', schema_name, table_name, column_name);
    end if;

    -- PostgreSQL finds a name that is free and fits.
    execute format(
        'alter table %1$I.%2$I add foreign key (%3$I) references %1$I.%4$I (%5$I) on delete %6$s on update %7$s not valid',
        schema_name, table_name, column_name, foreign_table, foreign_column, v_on_delete, v_on_update
    );
    select k.conname into strict v_constraint_name
    from pg_catalog.pg_constraint k
    where k.conrelid = v_table and k.contype = 'f'
        and k.conkey = array[v_number]
        and k.confrelid = v_foreign_table
        and k.confkey = array[v_foreign_number];
    execute format('alter table %I.%I validate constraint %I', schema_name, table_name, v_constraint_name);
    perform tenancy.reload_schema_cache();

    return v_constraint_name;
exception
    when foreign_key_violation then
        raise exception 'Rows of "%" have values in "%" that "%" does not have in "%".',
            table_name, column_name, foreign_table, foreign_column
            using errcode = 'PT409', detail = 'foreign_key_violation',
                hint = 'Nothing was changed. Correct those rows and try again.';
    when invalid_foreign_key then
        raise exception 'Column "%" of table "%" is neither its primary key nor unique.', foreign_column, foreign_table
            using errcode = 'PT409', detail = 'foreign_key_target',
                hint = 'Point at a primary key or a unique column.';
    when datatype_mismatch then
        raise exception 'Column "%" of table "%" and column "%" of table "%" have types that cannot be compared.',
            column_name, table_name, foreign_column, foreign_table
            using errcode = 'PT400', detail = 'invalid_column_type',
                hint = 'Give both columns the same type.';
    when program_limit_exceeded then
        raise exception 'Values of "%" are too long for the index that a foreign key needs: %.', column_name, sqlerrm
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Nothing was changed. Use a column of short values, such as a uuid.';
    when undefined_object then
        raise exception 'A column of type json cannot be part of a foreign key.'
            using errcode = 'PT400', detail = 'invalid_column_type', hint = 'Use another column.';
end;
$$;
