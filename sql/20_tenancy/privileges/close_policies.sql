create function tenancy.close_policies(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_statements text;
begin
    select string_agg(
        format(
            'create policy %I on %s as restrictive for %s to authenticated %s;',
            u.policy_name, u.relation::regclass, u.verb,
            format(
                case u.verb
                    when 'insert' then 'with check (%s)'
                    when 'update' then 'using (%1$s) with check (%1$s)'
                    else 'using (%s)'
                end,
                tenancy.policy_test(schema_name, u.level)
            )
        ),
        ' '
    )
    into v_statements
    from tenancy.unclosed_policies(schema_name) u
    -- A tenant may have tables of its own. What this transaction has written is the migration's.
    where u.is_new
        -- A policy of this name that does not ask is refused in the reference schema.
        and not exists (
            select from pg_catalog.pg_policy p where p.polrelid = u.relation and p.polname = u.policy_name
        );

    if v_statements is not null then
        execute v_statements;
    end if;
end;
$$;

comment on function tenancy.close_policies(text) is
    'Adds restrictive policies that ask for membership to the tables of a schema for which this transaction has written permissive policies that do not ask for it: members read, writers write.';
