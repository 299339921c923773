create function tenancy.drop_trial_hurdles(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_statements text;
begin
    select string_agg(s.statement, ' ') into v_statements
    from (
        select format('alter table %s drop constraint %I;', k.conrelid::regclass, k.conname)
        from pg_catalog.pg_constraint k
        where k.conrelid = any (tenancy.table_oids(schema_name)) and k.contype = 'f' and k.conparentid = 0
        union all
        -- Nobody is a member of the schema.
        select concat_ws(
            ' ',
            format('alter policy %I on %s', p.polname, p.polrelid::regclass),
            case when p.polcmd <> 'a' then 'using (true)' end,
            case when p.polcmd in ('a', 'w', '*') then 'with check (true)' end
        ) || ';'
        from pg_catalog.pg_policy p
        where p.polrelid = any (tenancy.table_oids(schema_name))
            and concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
                ~ 'tenancy\.open_tenants'
    ) s (statement);

    if v_statements is not null then
        execute v_statements;
    end if;
end;
$$;

comment on function tenancy.drop_trial_hurdles(text) is
    'Drops the foreign keys of a schema, which made-up values would violate, and opens the policies that ask for membership. Only in a schema that is rolled back.';
