create function tenancy.acting_function()
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_stack text;
    v_functions text[];
begin
    get diagnostics v_stack = pg_context;
    v_functions := array(
        select coalesce(f.name[1], f.name[2])
        from regexp_matches(
            v_stack,
            '^(?:PL/pgSQL function (inline_code_block|.*\))(?: .*)?|SQL function "(.*)" statement \d+)$',
            'gn'
        ) with ordinality f (name, place)
        order by f.place
    );

    -- The first three are this function, log_action and the operation. The last one began the
    -- call. A name further in is not trusted, because the stack also shows the texts of
    -- statements, and a text may imitate a name.
    if cardinality(v_functions) < 4 or v_functions[cardinality(v_functions)] like 'tenancy.as\_owner(%' then
        return null;
    end if;
    return v_functions[cardinality(v_functions)];
end;
$$;

comment on function tenancy.acting_function() is
    'For log_action: the outermost function of the call, as PostgreSQL shows it in an error''s context; inline_code_block is a DO statement. Null if an operation was called directly.';
