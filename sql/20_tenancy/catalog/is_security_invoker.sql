create function tenancy.is_security_invoker(options text[])
    returns boolean
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    -- pg_class.reloptions keeps the text that was written: true, on, yes or 1.
    select coalesce(
        (select o.option_value::boolean
        from pg_catalog.pg_options_to_table(options) o
        where o.option_name = 'security_invoker'),
        false
    );
$$;

comment on function tenancy.is_security_invoker(text[]) is
    'Whether a view with these options runs with the rights of its caller, so that the policies of its tables apply.';
