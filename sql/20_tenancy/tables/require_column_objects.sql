-- Checks the shape of create_table's argument again, for callers who do not use the functions.
create function tenancy.require_column_objects(columns jsonb)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_problem text;
begin
    if columns is null or jsonb_typeof(columns) <> 'array' then
        v_problem := '"columns" is not an array.';
    elsif jsonb_array_length(columns) > 999 then
        v_problem := 'A table is made with at most 999 columns.';
    else
        select case
            when jsonb_typeof(c.value) <> 'object'
                then format('Column %s is not an object.', c.place)
            when u.key is not null
                then format('Column %s has an unknown key %s.', c.place, tenancy.printable(to_json(u.key)::text))
            when k.key is not null
                then format('"%s" of column %s is not a %s.', k.key, c.place, k.kind)
            end
        into v_problem
        from jsonb_array_elements(columns) with ordinality c (value, place)
        left join lateral (
            select x.key
            from jsonb_object_keys(case when jsonb_typeof(c.value) = 'object' then c.value else '{}' end) x (key)
            where x.key not in (
                'name', 'type', 'nullable', 'default', 'default_expression', 'primary_key', 'unique', 'identity'
            )
            limit 1
        ) u on true
        left join lateral (
            select x.key, x.kind
            from (
                values
                    ('name', 'string', true),
                    ('type', 'string', true),
                    ('nullable', 'boolean', false),
                    ('default_expression', 'string', false),
                    ('primary_key', 'boolean', false),
                    ('unique', 'boolean', false),
                    ('identity', 'boolean', false)
            ) x (key, kind, needed)
            where case
                when c.value ? x.key and (x.needed or c.value -> x.key <> 'null')
                    then jsonb_typeof(c.value -> x.key) <> x.kind
                else x.needed
            end
            limit 1
        ) k on jsonb_typeof(c.value) = 'object'
        where jsonb_typeof(c.value) <> 'object' or u.key is not null or k.key is not null
        order by c.place
        limit 1;
    end if;

    if v_problem is not null then
        raise exception '%', v_problem
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Give columns as [{"name": "title", "type": "text", "nullable": false}, …]; also default, default_expression, primary_key, unique, identity.';
    end if;
end;
$$;

comment on function tenancy.require_column_objects(jsonb) is
    'Refuses a columns argument of the wrong shape (PT422 invalid_request; the functions answer the same).';
