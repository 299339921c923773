-- What a signed-in user could not do before, a member cannot do afterwards, either. The conditions
-- of the policies become restrictive ones, beside those that ask for membership. If only the
-- service key had access, it keeps it, because it bypasses policies.
create function tenancy.adopt_table(schema_name text, table_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_table constant oid := tenancy.require_table(schema_name, table_name);
    v_target constant text := v_table::regclass::text;
    v_is_secured constant boolean := (select c.relrowsecurity from pg_catalog.pg_class c where c.oid = v_table);
    v_is_exposed constant boolean := has_schema_privilege('authenticated', schema_name, 'usage');
    v_using jsonb;
    v_check jsonb;
    v_users_verbs text[];
    v_verbs text[];
    v_has_writers boolean;
    v_statements text;
begin
    -- The schema of a former tenant has such tables.
    if v_is_secured and (
        select bool_and(
            exists (
                select from tenancy.policy_samples(schema_name) s
                join tenancy.schema_objects(schema_name) o
                    on o.object_kind = 'policy'
                    and o.object_name = adopt_table.table_name || '.' || p.polname
                    and o.definition = s.definition
                where s.object_name = p.polname
            )
        )
        from pg_catalog.pg_policy p
        where p.polrelid = v_table and p.polpermissive
    ) then
        perform tenancy.audit_table(schema_name, table_name);
        return;
    end if;

    select jsonb_object_agg(v.verb, c.using_condition), jsonb_object_agg(v.verb, c.check_condition)
    into v_using, v_check
    from (values ('select', 'r'), ('insert', 'a'), ('update', 'w'), ('delete', 'd')) v (verb, command)
    cross join lateral (
        select string_agg(format('(%s)', pg_get_expr(p.polqual, v_table)), ' or ' order by p.polname)
                filter (where p.polqual is not null) as using_condition,
            string_agg(format('(%s)', pg_get_expr(coalesce(p.polwithcheck, p.polqual), v_table)), ' or ' order by p.polname)
                filter (where coalesce(p.polwithcheck, p.polqual) is not null) as check_condition
        from pg_catalog.pg_policy p
        where p.polrelid = v_table
            and p.polpermissive
            and p.polcmd::text in (v.command, '*')
            and p.polroles && array[0::oid, 'authenticated'::regrole]
    ) c;
    select array_agg(v.verb) filter (where v.is_for_users), array_agg(v.verb)
    into v_users_verbs, v_verbs
    from (
        select k.verb,
            (not v_is_exposed or has_table_privilege('authenticated', v_table, k.verb))
            and (not v_is_secured or coalesce(v_using ->> k.verb, v_check ->> k.verb) is not null) as is_for_users
        from (values ('select'), ('insert'), ('update'), ('delete')) k (verb)
    ) v
    where v.is_for_users
        or (
            has_schema_privilege('service_role', schema_name, 'usage')
            and has_table_privilege('service_role', v_table, v.verb)
        );
    v_users_verbs := coalesce(v_users_verbs, '{}');
    v_has_writers := v_verbs && '{insert,update,delete}';

    select string_agg(format('drop policy %I on %s;', p.polname, v_target), ' ') into v_statements
    from pg_catalog.pg_policy p
    where p.polrelid = v_table and p.polpermissive;
    if v_statements is not null then
        execute v_statements;
    end if;
    if v_verbs is null then
        execute format('alter table %s enable row level security', v_target);
        perform tenancy.audit_table(schema_name, table_name);
        return;
    end if;
    perform tenancy.enable_tenant_table(
        schema_name, table_name, writes => case when v_has_writers then 'write'::tenancy.access_level end
    );

    select string_agg(
        format('create policy %I on %s as restrictive for %s to authenticated', 'adopted_' || v.verb, v_target, v.verb)
        || case when v.verb = 'insert' then '' else format(' using (%s)', v.using_condition) end
        || case when v.verb in ('insert', 'update') then format(' with check (%s)', v.check_condition) else '' end,
        '; '
    )
    into v_statements
    from (
        select k.verb,
            case when k.is_allowed then coalesce(v_using ->> k.verb, 'false') else 'false' end as using_condition,
            case when k.is_allowed then coalesce(v_check ->> k.verb, 'false') else 'false' end as check_condition,
            k.is_allowed
        from (
            select v.verb, v.verb = any (v_users_verbs) as is_allowed
            from (values ('select'), ('insert'), ('update'), ('delete')) v (verb)
        ) k
    ) v
    where (not v.is_allowed or v_is_secured)
        and (v.verb = 'select' or v_has_writers)
        and (
            (v.verb <> 'insert' and v.using_condition <> '(true)')
            or (v.verb in ('insert', 'update') and v.check_condition <> '(true)')
        );
    if v_statements is not null then
        execute v_statements;
    end if;
end;
$$;

comment on function tenancy.adopt_table(text, text) is
    'Makes a table that exists a tenant table. Its permissive policies become restrictive ones, adopted_<verb>. What no policy allowed signed-in users, and if the schema was exposed to them, no privilege, stays closed to members. Only under the lock of the table.';
