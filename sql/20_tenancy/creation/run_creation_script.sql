create function tenancy.run_creation_script(schema_name text, script text)
    returns void
    volatile
    security invoker
    set search_path = ''
    set quote_all_identifiers = off
    -- The functions were checked when their migration was registered.
    set check_function_bodies = off
    language plpgsql
as $$
begin
    execute replace(
        replace(script, '{tenant_literal}', quote_literal(schema_name)),
        '{tenant_identifier}', quote_ident(schema_name)
    );
end;
$$;

comment on function tenancy.run_creation_script(text, text) is
    'Runs a text of tenant_template_scripts for one schema.';
