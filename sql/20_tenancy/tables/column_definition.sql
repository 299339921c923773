create function tenancy.column_definition(
    column_name text,
    column_type text,
    is_nullable boolean,
    literal jsonb,
    expression text,
    is_unique boolean default false
)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_type text;
    v_default text;
begin
    perform tenancy.require_column_name(column_name);
    v_type := tenancy.column_type(column_type);
    v_default := tenancy.column_default(v_type, literal, expression);

    return format('%I %s', column_name, v_type)
        || case when is_nullable then '' else ' not null' end
        || coalesce(' default ' || v_default, '')
        || case when is_unique then ' unique' else '' end;
end;
$$;

comment on function tenancy.column_definition(text, text, boolean, jsonb, text, boolean) is
    'The definition of a column for CREATE TABLE or ADD COLUMN (PT400: invalid_identifier, invalid_column_type, invalid_default).';
