create function tenancy.policy_test(schema_name text, level public.access_level)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- The subselect makes it an InitPlan: asked once a statement, never once a row.
    return format('(select tenancy.has_access(%L, %L))', schema_name, level);
end;
$$;

comment on function tenancy.policy_test(text, public.access_level) is
    'The one question every policy of a tenant''s table asks, as SQL.';
