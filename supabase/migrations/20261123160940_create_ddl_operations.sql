create function public.add_column(
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
    -- Longer than the role's own: validating and rewriting take their time.
    set statement_timeout = '60s'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_table oid;
    v_column public.table_column;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    v_table := tenancy.require_table(schema_name, table_name);
    perform tenancy.require_own_column(table_name, column_name);
    -- The profile RPCs insert into users without knowing of this column.
    if tenancy.is_template_table(table_name)
        and not is_nullable and default_value is null and default_expression is null
    then
        raise exception 'A column added to "%" is nullable or has a default.', table_name
            using errcode = 'PT409', detail = 'protected_table',
                hint = 'The product itself inserts rows there and does not know your column.';
    end if;

    perform tenancy.add_column(
        schema_name, table_name, column_name, column_type, is_nullable, default_value, default_expression
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
    'Adds a column to a table of a tenant; to users and settings only as x_…, nullable or with a default. Existing rows get the default; gen_random_uuid() makes PostgreSQL write them all anew, while readers wait. Admins of the tenant or of the platform. Errors: invalid_identifier, invalid_column_type, invalid_default, table_not_found, column_exists, table_not_empty, protected_table, tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';

create function public.add_foreign_key(
    schema_name text,
    table_name text,
    column_name text,
    foreign_table text,
    foreign_column text default 'id',
    on_delete text default 'NO ACTION',
    on_update text default 'NO ACTION'
)
    returns public.table_foreign_key
    volatile
    security definer
    set search_path = ''
    -- Longer than the role's own: validating and rewriting take their time.
    set statement_timeout = '60s'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_constraint_name text;
    v_foreign_key public.table_foreign_key;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    perform tenancy.require_own_table(table_name);
    perform tenancy.require_foreign_key_target(foreign_table, foreign_column);

    v_constraint_name := tenancy.add_foreign_key(
        schema_name, table_name, column_name, foreign_table, foreign_column, on_delete, on_update
    );
    v_foreign_key := tenancy.require_foreign_key(schema_name, table_name, v_constraint_name);

    perform tenancy.log_action(
        'foreign_key.add', v_tenant,
        jsonb_build_object('table_name', table_name, 'after', to_jsonb(v_foreign_key))
    );

    return v_foreign_key;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.add_foreign_key(text, text, text, text, text, text, text) is
    'Points a column of a tenant''s table at a primary key or unique column of another table of the same tenant, of the template''s tables only at users(id) and settings(key). The column gets an index. Existing rows are checked in the same call: until it ends, writers of both tables wait, up to 60 s on a very large table; readers do not. Admins of the tenant or of the platform. Errors: table_not_found, column_not_found, invalid_column_type, foreign_key_violation, foreign_key_target, protected_table, invalid_request, tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';

create function public.create_table(
    schema_name text,
    table_name text,
    columns jsonb,
    description text default null
)
    returns setof public.table_column
    volatile
    security definer
    set search_path = ''
    -- Longer than the role's own: validating and rewriting take their time.
    set statement_timeout = '60s'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_table oid;
    v_after jsonb;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    perform tenancy.require_table_name(table_name);
    perform tenancy.require_column_objects(columns);
    if tenancy.is_relation(schema_name, table_name) then
        raise exception 'Tenant "%" already has a table "%".', schema_name, table_name
            using errcode = 'PT409', detail = 'table_exists', hint = 'Choose another name.';
    end if;
    perform tenancy.require_table_room(schema_name);

    v_table := tenancy.create_table(schema_name, table_name, columns, description);

    select jsonb_agg(to_jsonb(c)) into v_after from tenancy.describe_columns(v_table) c;
    perform tenancy.log_action(
        'table.create', v_tenant,
        jsonb_build_object('table_name', table_name, 'after', jsonb_build_object('columns', v_after, 'description', description))
    );

    return query select * from tenancy.describe_columns(v_table);
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.create_table(text, text, jsonb, text) is
    'Makes a table in a tenant, reachable through the Data API at once: members read it, writers write it. columns is an array of {name, type, nullable = true, default, default_expression, primary_key, unique}; without a primary key, the column id becomes it, made as uuid where there is none. Admins of the tenant or of the platform. Errors: invalid_identifier, invalid_column_type, invalid_default, invalid_request, table_exists, column_exists, table_limit, tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';

create function public.drop_column(schema_name text, table_name text, column_name text)
    returns public.table_column
    volatile
    security definer
    set search_path = ''
    -- Longer than the role's own: validating and rewriting take their time.
    set statement_timeout = '60s'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_table oid;
    v_column public.table_column;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    v_table := tenancy.require_table(schema_name, table_name);
    perform tenancy.require_own_column(table_name, column_name);
    perform tenancy.require_column(schema_name, table_name, column_name);
    select * into v_column
    from tenancy.describe_columns(v_table) c
    where c.column_name = drop_column.column_name;

    perform tenancy.drop_column(schema_name, table_name, column_name);

    perform tenancy.log_action(
        'column.drop', v_tenant,
        jsonb_build_object('table_name', table_name, 'before', to_jsonb(v_column))
    );

    return v_column;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.drop_column(text, text, text) is
    'Drops a column and its values; returns what it was. Nothing cascades. Admins of the tenant or of the platform. Errors: table_not_found, column_not_found, has_dependents, protected_table, tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';

create function public.drop_foreign_key(schema_name text, table_name text, constraint_name text)
    returns public.table_foreign_key
    volatile
    security definer
    set search_path = ''
    -- Longer than the role's own: validating and rewriting take their time.
    set statement_timeout = '60s'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_foreign_key public.table_foreign_key;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    perform tenancy.require_own_table(table_name);
    v_foreign_key := tenancy.require_foreign_key(schema_name, table_name, constraint_name);

    perform tenancy.drop_foreign_key(schema_name, table_name, constraint_name);

    perform tenancy.log_action(
        'foreign_key.drop', v_tenant,
        jsonb_build_object('table_name', table_name, 'before', to_jsonb(v_foreign_key))
    );

    return v_foreign_key;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.drop_foreign_key(text, text, text) is
    'Drops a foreign key of a tenant''s table; returns what it was. The index on the column stays. Admins of the tenant or of the platform. Errors: table_not_found, constraint_not_found, protected_table, tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';

create function public.drop_table(schema_name text, table_name text)
    returns public.schema_table
    volatile
    security definer
    set search_path = ''
    -- Longer than the role's own: validating and rewriting take their time.
    set statement_timeout = '60s'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_table public.schema_table;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    perform tenancy.require_own_table(table_name);
    v_table := tenancy.describe_table(tenancy.require_table(schema_name, table_name));

    perform tenancy.drop_table(schema_name, table_name);

    perform tenancy.log_action(
        'table.drop', v_tenant,
        jsonb_build_object('table_name', table_name, 'before', to_jsonb(v_table))
    );

    return v_table;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.drop_table(text, text) is
    'Destroys a table of a tenant and its rows; returns what it was. Nothing cascades. Admins of the tenant or of the platform. Errors: table_not_found, protected_table, has_dependents, tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';
