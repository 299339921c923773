create function tenancy.without_comments(statements text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return regexp_replace(regexp_replace(statements, '--[^\n]*', ' ', 'g'), '/\*.*?\*/', ' ', 'g');
end;
$$;

comment on function tenancy.without_comments(text) is
    'The text of a tenant migration without its comments. For searches: it does not know what a literal contains.';
