create function tenancy.describe_foreign_keys(relation oid)
    returns setof public.tenantry_table_foreign_key
    stable
    security invoker
    set search_path = ''
    set quote_all_identifiers = off
    language plpgsql
as $$
begin
    -- By oid, because constraints of two tenants may have the same name.
    return query
    select
        k.conname::text,
        tenancy.column_names(k.conrelid, k.conkey),
        -- A shared table is outside the tenant, so its name has its schema.
        case
            when c.relnamespace = t.relnamespace then c.relname::text
            else c.relnamespace::regnamespace || '.' || c.relname
        end,
        tenancy.column_names(k.confrelid, k.confkey),
        tenancy.foreign_key_action(k.confupdtype),
        tenancy.foreign_key_action(k.confdeltype)
    from pg_catalog.pg_constraint k
    join pg_catalog.pg_class c on c.oid = k.confrelid
    join pg_catalog.pg_class t on t.oid = k.conrelid
    where k.conrelid = relation and k.contype = 'f'
    order by k.conname;
end;
$$;

comment on function tenancy.describe_foreign_keys(oid) is
    'A table''s foreign keys, as get_table_foreign_keys returns them.';
