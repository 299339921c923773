create function tenancy.column_default(column_type text, literal jsonb, expression text)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_is_array constant boolean := column_type like '%[]';
    v_is_json constant boolean := column_type in ('json', 'jsonb');
    v_expression text;
    v_text text;
    v_fits boolean;
begin
    -- A JSON null means that no literal is given.
    if literal is null or literal = 'null' then
        if expression is null then
            return null;
        end if;
        v_expression := lower(btrim(expression, ' '));
        if v_expression in ('now()', 'gen_random_uuid()', 'auth.uid()', 'current_date') then
            return v_expression;
        end if;
        raise exception 'The default expression % is not allowed.', quote_literal(tenancy.printable(expression))
            using errcode = 'PT400', detail = 'invalid_default',
                hint = 'Use now(), gen_random_uuid(), auth.uid() or current_date, or a literal as the default.';
    end if;

    if expression is not null then
        raise exception 'A column has a literal default or a default expression, not both.'
            using errcode = 'PT400', detail = 'invalid_default', hint = 'Leave one of them out.';
    end if;

    perform tenancy.require_short_default(literal::text);
    begin
        if v_is_json then
            v_text := literal::text;
        elsif v_is_array then
            -- Fails if the literal is no array. A nested array fails in the cast below.
            v_text := array(
                select e.value #>> '{}' from jsonb_array_elements(literal) with ordinality e (value, place)
                order by e.place
            )::text;
        elsif jsonb_typeof(literal) in ('object', 'array') then
            raise invalid_text_representation;
        else
            v_text := literal #>> '{}';
        end if;

        -- The default is the value after the cast: 'now' becomes the present time. A cast to
        -- varchar(3) cuts the text silently, which a comparison with a cast to varchar shows.
        execute format(
            'select (%1$L::%2$s)::text, (%1$L::%2$s)::text = (%1$L::%3$s)::text',
            v_text,
            column_type,
            case
                when column_type like 'character%'
                    then regexp_replace(replace(column_type, 'character(', 'bpchar('), '\(\d+\)', '')
                else column_type
            end
        )
        into v_text, v_fits;
    exception
        when data_exception or integrity_constraint_violation or program_limit_exceeded then
            v_fits := false;
    end;

    if not v_fits then
        raise exception 'The default % does not fit the type %.', tenancy.printable(literal::text), column_type
            using errcode = 'PT400', detail = 'invalid_default',
                hint = 'Give a JSON value of that type, for example 0, "text", true or ["a", "b"].';
    end if;

    -- The value can be longer than the literal: 1e5000 is a number of 5,001 digits.
    perform tenancy.require_short_default(v_text);
    return format('%L::%s', v_text, column_type);
end;
$$;

comment on function tenancy.column_default(text, jsonb, text) is
    'A column''s default as SQL, from a JSON literal or one of the allowed expressions; null if neither is given (PT400 invalid_default, PT409 default_limit). column_type is a result of tenancy.column_type.';
