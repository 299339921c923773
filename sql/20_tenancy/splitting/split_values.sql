create function tenancy.split_values(
    relation regclass,
    column_name text,
    tenants_from regclass default null,
    key_column text default null,
    name_column text default null
)
    returns table (value text, schema_name text, row_count bigint, obstacle text)
    stable
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_mapping constant text := case
        when tenants_from is null then
            'select t.id::text, t.schema_name from public.tenants t union all select t.schema_name, t.schema_name from public.tenants t'
        else format('select m.%I::text collate "C", m.%I::text collate "C" from %s m', key_column, name_column, tenants_from)
    end;
begin
    return query execute format(
        -- By their texts, because rows are copied by the text of the value.
        $sql$
        select v.value, t.schema_name, v.row_count,
            case
                when v.value is null then 'The column is null.'
                when m.names > 1 then format('%%s names several tenants.', v.value)
                when t.schema_name is null and m.name is not null then format('There is no tenant "%%s".', m.name)
                when t.schema_name is null then 'No tenant has this id or schema name.'
                when v.known_name <> t.schema_name then format('Its rows have been copied to tenant "%%s" before.', v.known_name)
                when t.status <> 'active' then format('Tenant "%%s" is suspended.', t.schema_name)
                when t.schema_version <> tenancy.latest_tenant_version() then format('Tenant "%%s" is not at the latest version: tenantry migrate.', t.schema_name)
            end
        from (
            select coalesce(c.value, p.value) as value, coalesce(c.row_count, 0) as row_count, p.schema_name as known_name
            from (select s.%1$I::text collate "C" as value, count(*) as row_count from %2$s s group by 1) c
            full join (
                select p.value, p.schema_name from tenancy.tenants_splits p where p.relation = $1 and p.column_name = $2
            ) p on p.value = c.value
        ) v
        left join (
            select m.value, min(m.name) as name, count(distinct m.name) as names
            from (%3$s) m (value, name)
            group by m.value
        ) m on m.value = v.value
        left join public.tenants t on t.schema_name = m.name and m.names = 1 and t.status <> 'pooled'
        order by t.schema_name, v.value
        $sql$,
        column_name, relation, v_mapping
    )
    using relation, column_name;
end;
$$;

comment on function tenancy.split_values(regclass, text, regclass, text, text) is
    'The values of the column that names the tenant, with their tenants, the number of their rows, and what keeps these rows from being copied. A value is a tenant''s id or schema name; or tenants_from is a table with the value in key_column and the schema name in name_column. Counts all rows.';
