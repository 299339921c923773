-- By the tenant's own version: what a later one brings is the tenant's to move out of the way,
-- and what a later one drops is still protected.
create function tenancy.is_template_table(schema_name text, table_name text)
    returns boolean
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return exists (
        select
        from public.tenants t
        join tenancy.tenant_template_objects o
            on o.version = t.schema_version
            and o.object_kind = 'table'
            and o.object_name = is_template_table.table_name
        where t.schema_name = is_template_table.schema_name
    );
end;
$$;

comment on function tenancy.is_template_table(text, text) is
    'Whether a table of a tenant is one that its version of the template brings, rather than one that its admin made.';

create function tenancy.require_own_table(schema_name text, table_name text)
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
                hint = 'Make a table of your own, or add a column named x_… to "users" or "settings".';
    end if;
end;
$$;

comment on function tenancy.require_own_table(text, text) is
    'Refuses changes of the tables that the template brings (PT409 protected_table).';

create function tenancy.require_own_column(schema_name text, table_name text, column_name text)
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
                hint = 'Columns of your own in "users" and "settings" are named x_…; "audit_log" takes none.';
    end if;
end;
$$;

comment on function tenancy.require_own_column(text, text, text) is
    'Refuses columns that would clash with the template (PT409 protected_table).';

create function tenancy.require_foreign_key_target(schema_name text, foreign_table text, foreign_column text)
    returns void
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    if tenancy.is_template_table(schema_name, foreign_table)
        and (foreign_table, foreign_column) not in (('users', 'id'), ('settings', 'key'))
    then
        raise exception 'A foreign key cannot point at "%" of table "%", which is part of every tenant.',
            tenancy.printable(foreign_column), foreign_table
            using errcode = 'PT409', detail = 'protected_table',
                hint = 'Of those tables, only users(id) and settings(key) can be pointed at: the others may change with the template.';
    end if;
end;
$$;

comment on function tenancy.require_foreign_key_target(text, text, text) is
    'Refuses foreign keys that would stand in the way of later tenant migrations (PT409 protected_table).';

revoke all on function tenancy.is_template_table(text, text) from public, anon, authenticated, service_role;
revoke all on function tenancy.require_own_table(text, text) from public, anon, authenticated, service_role;
revoke all on function tenancy.require_own_column(text, text, text) from public, anon, authenticated, service_role;
revoke all on function tenancy.require_foreign_key_target(text, text, text) from public, anon, authenticated, service_role;

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
    perform tenancy.require_own_column(schema_name, table_name, column_name);
    -- The profile RPCs insert into users without knowing of this column.
    if tenancy.is_template_table(schema_name, table_name)
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

create or replace function public.drop_column(schema_name text, table_name text, column_name text)
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
    perform tenancy.require_own_column(schema_name, table_name, column_name);
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

create or replace function public.drop_table(schema_name text, table_name text)
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

    perform tenancy.require_own_table(schema_name, table_name);
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

create or replace function public.add_foreign_key(
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

    perform tenancy.require_own_table(schema_name, table_name);
    perform tenancy.require_foreign_key_target(schema_name, foreign_table, foreign_column);

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

create or replace function public.drop_foreign_key(schema_name text, table_name text, constraint_name text)
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

    perform tenancy.require_own_table(schema_name, table_name);
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

drop function tenancy.require_foreign_key_target(text, text);
drop function tenancy.require_own_column(text, text);
drop function tenancy.require_own_table(text);
