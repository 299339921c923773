create function tenancy.policy_test(schema_name text, level public.access_level)
    returns text
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    -- In a subselect, so that PostgreSQL evaluates it once a statement and not once a row.
    select format('(select tenancy.has_access(%L, %L))', schema_name, level);
$$;

comment on function tenancy.policy_test(text, public.access_level) is
    'The condition of every policy on a tenant''s tables, as SQL.';
