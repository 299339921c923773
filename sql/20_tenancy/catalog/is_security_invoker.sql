create function tenancy.is_security_invoker(options text[])
    returns boolean
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- pg_class.reloptions keeps what was written: true, on, yes or 1.
    return coalesce(
        (select o.option_value::boolean
        from pg_catalog.pg_options_to_table(options) o
        where o.option_name = 'security_invoker'),
        false
    );
end;
$$;

comment on function tenancy.is_security_invoker(text[]) is
    'Whether a view with these options asks with the rights of its caller, so that the policies below it hold.';
