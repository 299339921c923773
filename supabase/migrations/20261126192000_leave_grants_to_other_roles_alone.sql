-- A grant to a role that the API never takes was drift, and nothing cured it; it is its
-- operator's business. And four RPCs that neither validate nor rewrite do with the time that
-- their role has.
-- What the API roles are to have is derived from the registry and the catalog alone, so that
-- suspending and activating again ends exactly where it began. Objects are found through
-- pg_depend, whose index makes the cost that of one schema however many there are.
create or replace function tenancy.misplaced_grants(schema_name text)
    returns setof tenancy.tenant_grant
    stable
    security definer
    set search_path = ''
    set jit = off
    language plpgsql
as $$
declare
    v_namespace constant oid := to_regnamespace(quote_ident(schema_name));
    -- Whoever comes through the API, or is everybody. Other roles are their operator's business.
    v_grantees constant oid[] := array['anon'::regrole, 'authenticated'::regrole, 'service_role'::regrole] || 0::oid;
    v_version text;
begin
    select t.schema_version into v_version
    from public.tenants t
    where t.schema_name = misplaced_grants.schema_name and t.status = 'active';

    return query
    with objects as (
        select 'schema' as object_kind, quote_ident(schema_name) as object_name,
            null::oid as relation, n.nspacl as acl, 'usage' as verbs
        -- It is due also where it is gone: granting on it fails, and nothing opens.
        from (select) tenant
        left join pg_catalog.pg_namespace n on n.oid = v_namespace
        union all
        select case c.relkind when 'S' then 'sequence' else 'table' end, c.oid::regclass::text,
            c.oid, c.relacl,
            -- Grants follow policies: a table that nobody adopted has none and stays unreachable.
            case
                when v_version is null then null
                when c.relkind in ('r', 'p') and c.relrowsecurity then tenancy.policy_verbs(c.oid)
                -- It shows nothing of its own as long as it asks with its caller's rights.
                when c.relkind = 'v' and tenancy.is_security_invoker(c.reloptions) then 'select'
                -- An identity column needs no grant on its sequence; serial does.
                when c.relkind = 'S' and exists (
                    select from pg_catalog.pg_depend o
                    where o.classid = 'pg_class'::regclass
                        and o.objid = c.oid
                        and o.refclassid = 'pg_class'::regclass
                        and o.deptype = 'a'
                ) then 'select, usage'
            end
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_namespace
            and d.classid = 'pg_class'::regclass
            and c.relkind <> 'c'
        union all
        -- Routines everybody may call until told otherwise.
        select 'routine', p.oid::regprocedure::text,
            null, coalesce(p.proacl, acldefault('f', p.proowner)),
            case when exists (
                select from tenancy.tenant_migrations m
                where m.version <= v_version and p.proname = any (m.callable_routines)
            ) then 'execute' end
        from pg_catalog.pg_depend d
        join pg_catalog.pg_proc p on p.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_namespace
            and d.classid = 'pg_proc'::regclass
    )
    select o.object_kind, o.object_name, g.grantee, g.expected, g.found
    from objects o
    cross join lateral (
        select case v.grantee when 0 then 'public' else v.grantee::regrole::text end as grantee,
            string_agg(v.verb, ', ' order by v.verb) filter (where v.is_due) as expected,
            string_agg(v.verb, ', ' order by v.verb) filter (where not v.is_due) as found
        from (
            select r.oid, e.verb, true
            from unnest(array['authenticated'::regrole::oid, 'service_role'::regrole]) r (oid)
            cross join string_to_table(o.verbs, ', ') e (verb)
            where v_version is not null
            union all
            select a.grantee, lower(a.privilege_type), false
            from aclexplode(o.acl) a
            where a.grantee = any (v_grantees)
            union all
            -- Privileges on columns, which nobody is to have, go with those on their table.
            select a.grantee, lower(a.privilege_type), false
            from pg_catalog.pg_attribute c
            cross join aclexplode(c.attacl) a
            where c.attrelid = o.relation and a.grantee = any (v_grantees)
        ) v (grantee, verb, is_due)
        group by v.grantee
    ) g
    where g.expected is distinct from g.found;
end;
$$;

comment on function tenancy.misplaced_grants(text) is
    'Where the privileges in a tenant are not what they are to be: who was to have which, and has which. To be, for authenticated and service_role: nothing unless the tenant is active; the verbs of each table''s policies; routines that a migration declared callable. For anon and PUBLIC nothing.';

-- The one place that grants anything in a tenant; what, misplaced_grants says. What is right
-- already is left alone: rewriting it would cost as much as the schema is large.
create or replace function tenancy.apply_tenant_privileges(schema_name text)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_statements text;
begin
    -- The schema is closed first and opened last.
    with wrong as materialized (
        select g.* from tenancy.misplaced_grants(schema_name) g
    ),
    statements as (
        select 1 as step, w.object_kind,
            format('revoke all on %s %s from %s;',
                w.object_kind, string_agg(w.object_name, ', '), w.grantee) as statement
        from wrong w
        where w.found is not null
        group by w.object_kind, w.grantee
        union all
        select 2, o.object_kind,
            format('grant %s on %s %s to %s;',
                o.expected, o.object_kind, string_agg(o.object_name, ', '), o.grantees)
        from (
            select w.object_kind, w.object_name, w.expected, string_agg(w.grantee, ', ' order by w.grantee) as grantees
            from wrong w
            where w.expected is not null
            group by w.object_kind, w.object_name, w.expected
        ) o
        group by o.object_kind, o.expected, o.grantees
    )
    select string_agg(
        s.statement, ' '
        order by s.step, case s.step when 1 then s.object_kind <> 'schema' else s.object_kind = 'schema' end
    )
    into v_statements
    from statements s;

    if v_statements is not null then
        execute v_statements;
    end if;
end;
$$;

create or replace function public.create_table(
    schema_name text,
    table_name text,
    columns jsonb,
    description text default null
)
    returns setof public.table_column
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_table oid;
    v_after jsonb;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    perform tenancy.require_table_name(table_name);
    perform tenancy.require_column_objects(columns);
    perform tenancy.require_text('description', description, 1000);
    if tenancy.is_relation(schema_name, table_name) then
        raise exception 'Tenant "%" already has a table "%".', schema_name, table_name
            using errcode = 'PT409', detail = 'table_exists', hint = 'Choose another name.';
    end if;
    perform tenancy.require_table_room(schema_name);

    v_table := tenancy.create_table(schema_name, table_name, columns, description);

    select jsonb_agg(to_jsonb(c)) into v_after from tenancy.describe_columns(v_table) c;
    perform tenancy.log_action(
        'table.create', v_tenant,
        jsonb_build_object('table_name', table_name, 'after', jsonb_build_object('columns', v_after, 'description', description))
    );

    return query select * from tenancy.describe_columns(v_table);
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

create or replace function public.drop_table(schema_name text, table_name text)
    returns public.schema_table
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_table public.schema_table;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    perform tenancy.require_own_table(schema_name, table_name);
    v_table := tenancy.describe_table(tenancy.require_table(schema_name, table_name));

    perform tenancy.drop_table(schema_name, table_name);

    perform tenancy.log_action(
        'table.drop', v_tenant,
        jsonb_build_object('table_name', table_name, 'before', to_jsonb(v_table))
    );

    return v_table;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

create or replace function public.drop_column(schema_name text, table_name text, column_name text)
    returns public.table_column
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_table oid;
    v_column public.table_column;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    v_table := tenancy.require_table(schema_name, table_name);
    perform tenancy.require_own_column(schema_name, table_name, column_name);
    perform tenancy.require_column(schema_name, table_name, column_name);
    select * into v_column
    from tenancy.describe_columns(v_table) c
    where c.column_name = drop_column.column_name;

    perform tenancy.drop_column(schema_name, table_name, column_name);

    perform tenancy.log_action(
        'column.drop', v_tenant,
        jsonb_build_object('table_name', table_name, 'before', to_jsonb(v_column))
    );

    return v_column;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

create or replace function public.drop_foreign_key(schema_name text, table_name text, constraint_name text)
    returns public.table_foreign_key
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_foreign_key public.table_foreign_key;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    perform tenancy.require_own_table(schema_name, table_name);
    v_foreign_key := tenancy.require_foreign_key(schema_name, table_name, constraint_name);

    perform tenancy.drop_foreign_key(schema_name, table_name, constraint_name);

    perform tenancy.log_action(
        'foreign_key.drop', v_tenant,
        jsonb_build_object('table_name', table_name, 'before', to_jsonb(v_foreign_key))
    );

    return v_foreign_key;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

create or replace function public.add_foreign_key(
    schema_name text,
    table_name text,
    column_name text,
    foreign_table text,
    foreign_column text default 'id',
    on_delete text default 'NO ACTION',
    on_update text default 'NO ACTION'
)
    returns public.table_foreign_key
    volatile
    security definer
    set search_path = ''
    -- Longer than the role's own: validating takes its time.
    set statement_timeout = '60s'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_constraint_name text;
    v_foreign_key public.table_foreign_key;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    perform tenancy.require_own_table(schema_name, table_name);
    perform tenancy.require_foreign_key_target(schema_name, foreign_table, foreign_column);

    v_constraint_name := tenancy.add_foreign_key(
        schema_name, table_name, column_name, foreign_table, foreign_column, on_delete, on_update
    );
    v_foreign_key := tenancy.require_foreign_key(schema_name, table_name, v_constraint_name);

    perform tenancy.log_action(
        'foreign_key.add', v_tenant,
        jsonb_build_object('table_name', table_name, 'after', to_jsonb(v_foreign_key))
    );

    return v_foreign_key;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;
