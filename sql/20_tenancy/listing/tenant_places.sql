create function tenancy.tenant_places(
    search text,
    status tenancy.tenant_status,
    after tenancy.list_place,
    page_size integer
)
    returns setof tenancy.list_place
    stable
    security invoker
    set search_path = ''
    -- Which plan reads least depends on which arguments are null.
    set plan_cache_mode = force_custom_plan
    language plpgsql
as $$
declare
    v_column constant text := after.column_name;
    v_is_descending constant boolean := after.is_descending;
    v_number constant numeric := after.number;
    v_words constant text := after.words;
    v_name constant text := after.key;
begin
    if v_column = 'schema_name' then
        -- One of the two parts has a condition that is false before any row is read. The other
        -- follows the index until the page is full.
        return query
        with matching as not materialized (
            select t.schema_name
            from tenancy.listed_tenants t
            where (tenant_places.status is null or t.status = tenant_places.status)
                and (
                    tenant_places.search is null
                    or tenancy.is_found(tenant_places.search, t.schema_name, t.display_name)
                )
        )
        (
            select v_column, v_is_descending, 0::numeric, '', m.schema_name
            from matching m
            where not v_is_descending and m.schema_name > coalesce(v_name, '')
            order by m.schema_name
            limit page_size
        )
        union all
        (
            select v_column, v_is_descending, 0::numeric, '', m.schema_name
            from matching m
            where v_is_descending and (v_name is null or m.schema_name < v_name)
            order by m.schema_name desc
            limit page_size
        );
        return;
    end if;

    return query
    select v_column, v_is_descending, k.number, k.words, k.schema_name
    from tenancy.sort_keys(v_column) k
    join tenancy.listed_tenants t on t.schema_name = k.schema_name
    where (tenant_places.status is null or t.status = tenant_places.status)
        and (
            tenant_places.search is null
            or tenancy.is_found(tenant_places.search, t.schema_name, t.display_name)
        )
        and (
            v_name is null
            or case
                when v_is_descending then (k.number, k.words, k.schema_name) < (v_number, v_words, v_name)
                else (k.number, k.words, k.schema_name) > (v_number, v_words, v_name)
            end
        )
    order by
        case when v_is_descending then k.number end desc,
        case when v_is_descending then k.words end desc,
        case when v_is_descending then k.schema_name end desc,
        k.number, k.words, k.schema_name
    limit page_size;
end;
$$;

comment on function tenancy.tenant_places(text, tenancy.tenant_status, tenancy.list_place, integer) is
    'The places of the tenants on one page of list_tenants, in its order. By schema name it reads the index as far as the page goes; any other order reads all tenants once.';
