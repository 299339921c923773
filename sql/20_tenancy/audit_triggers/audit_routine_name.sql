create function tenancy.audit_routine_name(table_name text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- PostgreSQL would cut a name of more than 63 bytes, and two tables could share one function.
    -- A hash of 52 digits never equals a table's name of at most 51 bytes.
    if octet_length(table_name) > 51 then
        return format('tg_%s__audit', left(encode(sha256(convert_to(table_name, 'UTF8')), 'hex'), 52));
    end if;

    return format('tg_%s__audit', table_name);
end;
$$;

comment on function tenancy.audit_routine_name(text) is
    'Name of the trigger function that audits a table. The function is in the table''s schema.';
