create function tenancy.sort_keys(column_name text, out schema_name text, out number numeric, out words text)
    returns setof record
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    case column_name
        when 'display_name' then
            return query select t.schema_name, 0::numeric, lower(t.display_name) from public.tenants t;
        when 'created_at' then
            -- extract returns microseconds as they are.
            return query select t.schema_name, extract(epoch from t.created_at), '' from public.tenants t;
        when 'status' then
            return query select t.schema_name, 0::numeric, t.status::text from public.tenants t;
        when 'schema_version' then
            -- The order of the registration, in which the migrations are applied.
            return query
            select t.schema_name, m.position::numeric, ''
            from public.tenants t
            join tenancy.tenant_migrations m on m.version = t.schema_version;
        when 'bytes' then
            return query
            select t.schema_name, coalesce(s.bytes, 0)::numeric, ''
            from public.tenants t
            left join tenancy.all_schema_bytes() s on s.schema_name = t.schema_name;
        when 'last_activity_at' then
            -- Never is earlier than every time.
            return query
            select t.schema_name, coalesce(extract(epoch from a.last_activity_at), -1), ''
            from public.tenants t
            left join tenancy.tenant_activity a
                on a.schema_name = t.schema_name and a.last_activity_at >= t.created_at;
    end case;
end;
$$;

comment on function tenancy.sort_keys(text) is
    'What each tenant is sorted by in this order: the number, then the words, then the schema name. One pass over the registry, or over the catalog for bytes.';
