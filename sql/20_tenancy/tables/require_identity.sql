create function tenancy.require_identity(
    column_name text,
    column_type text,
    is_nullable boolean,
    default_sql text
)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if column_type not in ('smallint', 'integer', 'bigint') then
        raise exception 'Column "%" cannot be an identity column, because its type is %.', column_name, column_type
            using errcode = 'PT400', detail = 'invalid_column_type',
                hint = 'Use smallint, integer or bigint. For a uuid, use the default expression gen_random_uuid().';
    end if;
    if default_sql is not null then
        raise exception 'Column "%" has a default, and an identity column cannot have one.', column_name
            using errcode = 'PT400', detail = 'invalid_default',
                hint = 'Leave out the default, or leave out identity.';
    end if;
    if is_nullable then
        raise exception 'Column "%" may be null, and an identity column cannot.', column_name
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Do not make the column nullable, or leave out identity.';
    end if;
end;
$$;

comment on function tenancy.require_identity(text, text, boolean, text) is
    'Refuses what PostgreSQL cannot number: an identity column that is no integer, has a default or may be null (PT400: invalid_column_type, invalid_default; PT422 invalid_request). column_type is a result of tenancy.column_type.';
