-- The audit log and the Data API identify rows by the primary key. Admin panels and clients insert
-- rows without a key, so PostgreSQL has to generate it.
create function tenancy.with_key(columns jsonb)
    returns jsonb
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_key jsonb := jsonb_path_query_array(columns, '$[*] ? (@.primary_key == true)');
    v_generated jsonb;
begin
    if v_key = '[]' then
        v_key := jsonb_path_query_array(columns, '$[*] ? (@.name == "id")');
    end if;
    if v_key = '[]' then
        return '[{"name": "id", "type": "uuid", "primary_key": true, "default_expression": "gen_random_uuid()"}]'::jsonb || columns;
    end if;

    -- The values of a key of several columns come from elsewhere, such as two foreign keys.
    if jsonb_array_length(v_key) = 1 and coalesce(v_key -> 0 -> 'default', 'null') = 'null' and v_key -> 0 ->> 'default_expression' is null then
        v_generated := case
            when v_key -> 0 ->> 'identity' is not null then null
            when tenancy.column_type(v_key -> 0 ->> 'type') in ('smallint', 'integer', 'bigint') then '{"identity": true, "nullable": false}'
            -- A uuid of another name is the id of something else, such as a user.
            when tenancy.column_type(v_key -> 0 ->> 'type') = 'uuid' and v_key -> 0 ->> 'name' = 'id'
                then '{"default_expression": "gen_random_uuid()"}'
        end;
    end if;

    return (
        select jsonb_agg(
            case when v_key @> jsonb_build_array(c.value) then c.value || '{"primary_key": true}' || coalesce(v_generated, '{}') else c.value end
            order by c.place
        )
        from jsonb_array_elements(columns) with ordinality c (value, place)
    );
end;
$$;

comment on function tenancy.with_key(jsonb) is
    'The columns of a new table, with what they leave out of its primary key: without one, the column id, which is added as uuid if it is missing. A key of one column without a default is numbered if it is an integer, and gets gen_random_uuid() if it is a uuid named id; {"identity": false} leaves an integer as it is. Only for columns that require_column_objects has accepted (PT400 invalid_column_type).';
