create function public.get_schema_summary(schema_name text)
    returns public.schema_summary
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_standing(schema_name, platform => 'viewer', member => 'read');

    return (
        select row(
            count(*),
            coalesce(sum(tenancy.row_estimate(t.relation)), 0)::bigint,
            coalesce(sum(tenancy.table_bytes(t.relation)), 0)::bigint
        )::public.schema_summary
        from unnest(tenancy.tables_of(schema_name)) t (relation)
    );
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_schema_summary(text) is
    'How many tables a tenant has, about how many rows, and how large they are. Members and platform staff. Errors: tenant_not_found, tenant_suspended, not_authenticated, busy.';

create function public.get_schema_tables(schema_name text)
    returns setof public.schema_table
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_standing(schema_name, platform => 'viewer', member => 'read');

    return query
    select d.*
    from unnest(tenancy.tables_of(schema_name)) t (relation)
    cross join lateral tenancy.describe_table(t.relation) d
    order by d.table_name;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_schema_tables(text) is
    'The tables of a tenant by name, with sizes and row estimates from statistics; nothing is scanned. Members and platform staff. Errors: tenant_not_found, tenant_suspended, not_authenticated, busy.';

create function public.get_table_columns(schema_name text, table_name text)
    returns setof public.table_column
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_standing(schema_name, platform => 'viewer', member => 'read');

    return query
    select * from tenancy.describe_columns(tenancy.require_table(schema_name, table_name));
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_table_columns(text, text) is
    'The columns of a tenant''s table in their order. Members and platform staff. Errors: tenant_not_found, table_not_found, tenant_suspended, not_authenticated, busy.';

create function public.get_table_foreign_keys(schema_name text, table_name text)
    returns setof public.table_foreign_key
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_standing(schema_name, platform => 'viewer', member => 'read');

    return query
    select * from tenancy.describe_foreign_keys(tenancy.require_table(schema_name, table_name));
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_table_foreign_keys(text, text) is
    'The foreign keys of a tenant''s table by name. Members and platform staff. Errors: tenant_not_found, table_not_found, tenant_suspended, not_authenticated, busy.';
