create function tenancy.audit_routine_name(table_name text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- PostgreSQL would cut a longer name, and two tables could share one function. The result
    -- for a name of 52 characters would fit, but could equal the shortened one of another name.
    if length(table_name) > 51 then
        return format('tg_%s_%s__audit', left(table_name, 43), left(md5(table_name), 8));
    end if;

    return format('tg_%s__audit', table_name);
end;
$$;

comment on function tenancy.audit_routine_name(text) is
    'Name of the trigger function that audits a table. The function is in the table''s schema.';
