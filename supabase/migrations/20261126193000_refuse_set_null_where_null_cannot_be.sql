-- A foreign key that sets null in a column that takes none made every deletion at its other
-- end fail. And two hints named the tables of a template that nobody has extended.
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
    v_constraint_name := tenancy.find_foreign_key(v_table, v_number, v_foreign_table, v_foreign_number);
    if v_constraint_name is not null then
        raise exception 'Column "%" of table "%" points at "%" of table "%" already, by the foreign key "%".',
            column_name, table_name, foreign_column, foreign_table, tenancy.printable(v_constraint_name)
            using errcode = 'PT409', detail = 'constraint_exists',
                hint = 'To change what happens on delete or update, drop it first with drop_foreign_key.';
    end if;
    if exists (
        select from pg_catalog.pg_attribute a
        where a.attrelid = v_table and a.attnum = v_number and a.attnotnull
            and ('SET NULL' in (v_on_delete, v_on_update)
                or ('SET DEFAULT' in (v_on_delete, v_on_update) and not a.atthasdef))
    ) then
        raise exception 'Column "%" of table "%" is never null, and this key would set it so.', column_name, table_name
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Use CASCADE or RESTRICT, or a column that may be null.';
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
    v_constraint_name := tenancy.find_foreign_key(v_table, v_number, v_foreign_table, v_foreign_number);
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

create or replace function tenancy.require_own_column(schema_name text, table_name text, column_name text)
    returns void
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- The prefix is the promise that no later template column is called so.
    if table_name = 'audit_log'
        or (tenancy.is_template_table(schema_name, table_name) and coalesce(column_name, '') not like 'x\_%')
    then
        raise exception 'Column "%" of table "%" is not the tenant''s to add or drop.', tenancy.printable(column_name), table_name
            using errcode = 'PT409', detail = 'protected_table',
                hint = 'Columns of your own in a table of every tenant are named x_…; "audit_log" takes none.';
    end if;
end;
$$;

create or replace function tenancy.require_own_table(schema_name text, table_name text)
    returns void
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    if tenancy.is_template_table(schema_name, table_name) then
        raise exception 'Table "%" is part of every tenant and stays as it is.', table_name
            using errcode = 'PT409', detail = 'protected_table',
                hint = 'Make a table of your own, or add a column named x_… to this one; "audit_log" takes none.';
    end if;
end;
$$;

create or replace function public.add_column(
    schema_name text,
    table_name text,
    column_name text,
    column_type text,
    is_nullable boolean default true,
    default_value jsonb default null,
    default_expression text default null
)
    returns public.table_column
    volatile
    security definer
    set search_path = ''
    -- Nobody reads the table while its rows are written anew, and PostgREST, which waits for it
    -- when somebody else's schema has changed, gives up after 8 s and then answers nobody.
    set statement_timeout = '5s'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_table oid;
    v_is_nullable constant boolean := coalesce(is_nullable, true);
    v_column public.table_column;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    v_table := tenancy.require_table(schema_name, table_name);
    perform tenancy.require_own_column(schema_name, table_name, column_name);
    -- The profile RPCs insert into users without knowing of this column.
    if tenancy.is_template_table(schema_name, table_name)
        and not v_is_nullable and default_value is null and default_expression is null
    then
        raise exception 'A column added to "%" is nullable or has a default.', table_name
            using errcode = 'PT409', detail = 'protected_table',
                hint = 'The product itself inserts rows there and does not know your column.';
    end if;

    perform tenancy.require_column_room(schema_name, table_name);
    perform tenancy.add_column(
        schema_name, table_name, column_name, column_type, v_is_nullable, default_value, default_expression
    );
    select * into v_column
    from tenancy.describe_columns(v_table) c
    where c.column_name = add_column.column_name;

    perform tenancy.log_action(
        'column.add', v_tenant,
        jsonb_build_object('table_name', table_name, 'after', to_jsonb(v_column))
    );

    return v_column;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.add_column(text, text, text, text, boolean, jsonb, text) is
    'Adds a column to a table of a tenant; where every tenant has that table, only as x_…, nullable or with a default. Existing rows get the default; gen_random_uuid() makes PostgreSQL write them all anew while readers wait, and is refused where that takes longer than 5 s. Admins of the tenant or of the platform. Errors: invalid_identifier, invalid_column_type, invalid_default, invalid_request, table_not_found, column_exists, table_not_empty, protected_table, tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';
