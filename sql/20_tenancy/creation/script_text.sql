-- The schema has a random name, so whatever equals it in the text is that name.
create function tenancy.script_text(schema_name text, statements text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if strpos(statements, '{tenant_') > 0 then
        raise exception 'The template has a text with "{tenant_"';
    end if;
    if statements ~ format('[\w$"]%1$s|%1$s[\w$"]', schema_name) then
        raise exception 'The template has a name that holds the name of the schema';
    end if;

    return replace(
        replace(statements, quote_literal(schema_name), '{tenant_literal}'),
        quote_ident(schema_name), '{tenant_identifier}'
    );
end;
$$;

comment on function tenancy.script_text(text, text) is
    'Statements for a schema with a random name, with {tenant_identifier} and {tenant_literal} in place of the name. Refuses a text in which they could not be told from the rest (P0001).';
