create function tenancy.exposed_schemas()
    returns text[]
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_list constant text := tenancy.exposed_list();
begin
    if v_list is not null then
        -- The form that set_exposed_schemas writes. Splitting a long list by a pattern is slow.
        if replace(v_list, ', ', '') !~ '[\s,]' then
            return string_to_array(v_list, ', ');
        end if;
        return regexp_split_to_array(btrim(v_list), '\s*,\s*');
    end if;

    -- Not set yet: the default of a Supabase project. Only schemas that exist, because one
    -- listed but missing schema stops the whole Data API.
    return array(
        select n.nspname::text
        from pg_catalog.pg_namespace n
        where n.nspname in ('public', 'graphql_public')
        order by n.nspname = 'public' desc
    );
end;
$$;

comment on function tenancy.exposed_schemas() is
    'The schemas that the Data API exposes, from the setting of PostgREST''s role.';
