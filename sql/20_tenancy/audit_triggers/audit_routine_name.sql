create function tenancy.audit_routine_name(table_name text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- Longer names would be cut by PostgreSQL, and two tables could come to share one. A name
    -- of 52 characters would fit, and could be the shortened one of another.
    if length(table_name) > 51 then
        return format('tg_%s_%s__audit', left(table_name, 43), left(md5(table_name), 8));
    end if;

    return format('tg_%s__audit', table_name);
end;
$$;

comment on function tenancy.audit_routine_name(text) is
    'Name of the trigger function that audits a table, in the table''s schema.';
