create function tenancy.relation_options(options text[])
    returns text
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    select ' with (' || string_agg(format('%I=%L', o.option_name, o.option_value), ', ' order by o.place) || ')'
    from pg_catalog.pg_options_to_table(options) with ordinality o (option_name, option_value, place);
$$;

comment on function tenancy.relation_options(text[]) is
    'The options of a table or view as a statement writes them; null if there are none.';
