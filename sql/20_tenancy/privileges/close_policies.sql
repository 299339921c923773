-- The policies of a migration say which rows a user may see, and a user who is no member, or no
-- longer, may own rows. With these restrictive policies the layer stops them, too.
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
            'only_' || v.verb || '_' || tenancy.policy_suffix(v.level), c.oid::regclass, v.verb,
            format(v.conditions, tenancy.policy_test(schema_name, v.level))
        ),
        ' '
    )
    into v_statements
    from unnest(tenancy.table_oids(schema_name)) t (oid)
    join pg_catalog.pg_class c on c.oid = t.oid
    cross join (
        values
        ('r', 'select', 'read'::public.access_level, 'using (%s)'),
        ('a', 'insert', 'write', 'with check (%s)'),
        ('w', 'update', 'write', 'using (%1$s) with check (%1$s)'),
        ('d', 'delete', 'write', 'using (%s)')
    ) v (command, verb, level, conditions)
    -- Nobody has a privilege that only policies to PUBLIC would justify.
    where strpos(tenancy.policy_verbs(c.oid), v.verb) > 0
        and exists (
            select
            from pg_catalog.pg_policy p
            cross join lateral (
                select p.polqual where v.command <> 'a'
                union all
                -- Without a check, the condition of USING decides.
                select coalesce(p.polwithcheck, p.polqual) where v.command in ('a', 'w')
            ) e (tree)
            where p.polrelid = c.oid
                and p.polcmd::text in (v.command, '*')
                and p.polpermissive
                and p.polroles && array[0::oid, 'authenticated'::regrole]
                and pg_get_expr(e.tree, p.polrelid) !~ 'tenancy\.open_tenants|^false$'
                -- A tenant may have tables of its own. What this transaction has written is the
                -- migration's.
                and age(p.xmin) <= age(pg_current_xact_id()::xid)
                and pg_xact_status(tenancy.full_transaction_id(p.xmin)) = 'in progress'
        )
        and not exists (
            select
            from pg_catalog.pg_policy p
            where p.polrelid = c.oid and p.polname = 'only_' || v.verb || '_' || tenancy.policy_suffix(v.level)
        );

    if v_statements is not null then
        execute v_statements;
    end if;
end;
$$;

comment on function tenancy.close_policies(text) is
    'Adds restrictive policies that ask for membership to the tables of a schema for which this transaction has written permissive policies that do not ask for it: members read, writers write.';
