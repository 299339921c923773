create function tenancy.single_statement(statements text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    select regexp_replace(tenancy.without_comments(statements), '[\s;]+$', '');
$$;

comment on function tenancy.single_statement(text) is
    'The text of a backfill or an index without comments and without the semicolon at its end.';
