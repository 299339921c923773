create function tenancy.policy_test(schema_name text, level tenancy.access_level)
    returns text
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    -- An uncorrelated subselect, so that PostgreSQL evaluates it once a statement and not once a
    -- row.
    select format(
        'exists (select from tenancy.open_tenants o where o.schema_name = %L and o.access_level >= %L)',
        schema_name, level
    );
$$;

comment on function tenancy.policy_test(text, tenancy.access_level) is
    'The condition of every policy on a tenant''s tables, as SQL.';
