drop function tenancy.audit_statements(text, text, text);

create function tenancy.audit_statements(
    schema_name text,
    table_name text,
    actor text,
    out on_insert text,
    out on_delete text,
    out on_update text,
    out columns text
)
    returns record
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_table constant oid := tenancy.require_table(schema_name, table_name);
    v_key text;
    v_same_key text;
    v_old text;
    v_new text;
begin
    -- Compared byte by byte: `=` does not exist for json, and calls 1.0 and 1.00 the same.
    select
        array_agg(a.attname order by a.attnum)::text,
        'jsonb_build_object(' || string_agg(format('%1$L, %2$s.%1$I', a.attname, '_row'), ', ' order by a.attnum)
            filter (where a.attnum = any (i.indkey::smallint[])) || ')',
        string_agg(format('_old.%1$I = _new.%1$I', a.attname), ' and ' order by a.attnum)
            filter (where a.attnum = any (i.indkey::smallint[])),
        string_agg(
            format(
                'case when row(_old.%1$I)::record operator(pg_catalog.*<>) row(_new.%1$I)::record'
                ' then jsonb_build_object(%1$L, _old.%1$I) else ''{}'' end',
                a.attname
            ),
            E'\n            || ' order by a.attnum
        ),
        string_agg(
            format(
                'case when row(_old.%1$I)::record operator(pg_catalog.*<>) row(_new.%1$I)::record'
                ' then jsonb_build_object(%1$L, _new.%1$I) else ''{}'' end',
                a.attname
            ),
            E'\n            || ' order by a.attnum
        )
    into columns, v_key, v_same_key, v_old, v_new
    from pg_catalog.pg_attribute a
    left join pg_catalog.pg_index i on i.indrelid = a.attrelid and i.indisprimary
    where a.attrelid = v_table and a.attnum > 0 and not a.attisdropped;

    on_insert := format(
        $sql$insert into %1$I.audit_log (actor_id, actor_role, action, table_name, record_id, new_values)
        select %2$s, 'insert', %3$L, %4$s, to_jsonb(_row)
        from new_rows _row$sql$,
        schema_name, actor, table_name, coalesce(v_key, 'null::jsonb')
    );
    on_delete := format(
        $sql$insert into %1$I.audit_log (actor_id, actor_role, action, table_name, record_id, old_values)
        select %2$s, 'delete', %3$L, %4$s, to_jsonb(_row)
        from old_rows _row$sql$,
        schema_name, actor, table_name, coalesce(v_key, 'null::jsonb')
    );
    on_update := format(
        $sql$insert into %1$I.audit_log (actor_id, actor_role, action, table_name, record_id, old_values, new_values)
        select %2$s, 'update', %3$L, %5$s,
            %6$s,
            %7$s
        from old_rows _old
        join new_rows _new on %8$s
        where row(_old.*)::record operator(pg_catalog.*<>) row(_new.*)::record
        -- A row with another key is another row.
        union all
        select %2$s, 'delete', %3$L, %4$s, to_jsonb(_row), null
        from old_rows _row
        where not exists (select from new_rows _new where %9$s)
        union all
        select %2$s, 'insert', %3$L, %4$s, null, to_jsonb(_row)
        from new_rows _row
        where not exists (select from old_rows _old where %10$s)$sql$,
        schema_name, actor, table_name,
        coalesce(v_key, 'null::jsonb'),
        coalesce(replace(v_key, '_row.', '_new.'), 'null::jsonb'),
        v_old, v_new,
        coalesce(v_same_key, 'false'),
        coalesce(replace(v_same_key, '_old.', '_row.'), 'false'),
        coalesce(replace(v_same_key, '_new.', '_row.'), 'false')
    );
end;
$$;

comment on function tenancy.audit_statements(text, text, text) is
    'The statements that audit a table with its columns as they are now, from the transition tables old_rows and new_rows; actor is two expressions, the actor''s id and role.';
revoke all on function tenancy.audit_statements(text, text, text) from public, anon, authenticated, service_role;

create or replace function tenancy.apply_tenant_migration(schema_name text, migration tenancy.tenant_migrations)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_path constant text := format('%I, extensions, pg_temp', schema_name);
    v_tables_before constant oid[] := tenancy.tables_of(schema_name);
    v_tables_now oid[];
begin
    -- Hosted, the API's sessions refuse a backfill without WHERE, which db push had allowed.
    perform set_config('safeupdate.enabled', 'off', true);

    -- For the statements alone; leaving this function puts the empty path back.
    perform set_config('search_path', v_path, true);
    execute migration.statements;
    -- What is deferred to the commit would fail there, out of everybody's reach.
    set constraints all immediate;

    if current_setting('search_path') <> v_path then
        raise exception 'A tenant migration must not set search_path.'
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'Leave names unqualified: it runs once in each tenant.';
    end if;
    perform set_config('search_path', '', true);

    v_tables_now := tenancy.tables_of(schema_name);
    if cardinality(v_tables_before) > 0 then
        perform tenancy.audit_stale_tables(schema_name);
    end if;
    -- Row level security switched on without a policy is a decision: such a table stays closed.
    perform tenancy.adopt_table(schema_name, c.relname)
    from pg_catalog.pg_class c
    where c.oid = any (v_tables_now)
        and c.oid <> all (v_tables_before)
        and not c.relrowsecurity
        and not exists (select from pg_catalog.pg_policy p where p.polrelid = c.oid);
end;
$$;

-- The one place that grants anything in a tenant; what, tenant_privileges says. What is right
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
        where w.found is not null and w.grantee in ('public', 'anon', 'authenticated', 'service_role')
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

create or replace function tenancy.audit_routine_source(schema_name text, table_name text)
    returns text
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_statements record;
begin
    v_statements := tenancy.audit_statements(schema_name, table_name, 'v_caller.user_id, v_role');

    return format(
        $sql$
declare
    v_caller constant tenancy.caller := tenancy.caller();
    v_role constant text := case v_caller.kind when 'nobody' then session_user else v_caller.kind end;
begin
    if tg_op = 'TRUNCATE' then
        insert into %1$I.audit_log (actor_id, actor_role, action, table_name)
        values (v_caller.user_id, v_role, 'truncate', %2$L);
        return null;
    end if;

    -- A migration changed the columns and goes on to change rows: what is written here
    -- follows when it has ended.
    if %3$L::name[] is distinct from (
        select array_agg(a.attname order by a.attnum)
        from pg_catalog.pg_attribute a
        where a.attrelid = tg_relid and a.attnum > 0 and not a.attisdropped
    ) then
        execute (
            select case tg_op when 'INSERT' then s.on_insert when 'DELETE' then s.on_delete else s.on_update end
            from tenancy.audit_statements(%1$L, %2$L, '$1, $2') s
        )
        using v_caller.user_id, v_role;
        return null;
    end if;

    if tg_op = 'INSERT' then
        %4$s;
    elsif tg_op = 'DELETE' then
        %5$s;
    else
        %6$s;
    end if;
    return null;
end;
        $sql$,
        schema_name, table_name, v_statements.columns,
        v_statements.on_insert, v_statements.on_delete, v_statements.on_update
    );
end;
$$;

create or replace function tenancy.audit_stale_tables(schema_name text)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_tables constant oid[] := tenancy.tables_of(schema_name);
begin
    perform tenancy.audit_table(schema_name, c.relname)
    from pg_catalog.pg_class c
    where c.oid = any (v_tables)
        and tenancy.is_template_table(c.relname)
        and exists (
            select from pg_catalog.pg_trigger t
            join pg_catalog.pg_proc p on p.oid = t.tgfoid
            where t.tgrelid = c.oid
                and t.tgname = 'audit_insert'
                and p.prosrc <> tenancy.audit_routine_source(schema_name, c.relname)
        );
end;
$$;

-- Derived from the registry and the catalog alone, so that suspending and activating again
-- ends exactly where it began. Objects are found through pg_depend, whose index makes the
-- cost that of one schema however many there are.
create or replace function tenancy.tenant_privileges(schema_name text)
    returns setof tenancy.tenant_privilege
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_namespace constant oid := to_regnamespace(quote_ident(schema_name));
    v_version text;
begin
    select t.schema_version into v_version
    from public.tenants t
    where t.schema_name = tenant_privileges.schema_name and t.status = 'active';
    if not found then
        return;
    end if;

    -- Grants follow policies: a table that nobody adopted has none and stays unreachable.
    -- A view shows nothing of its own as long as it asks with its caller's rights.
    return query
    select r.object_kind, r.object_name, r.verbs
    from (
        select
            case c.relkind when 'S' then 'sequence' else 'table' end as object_kind,
            c.oid::regclass::text as object_name,
            case c.relkind
                when 'v' then 'select'
                when 'S' then 'select, usage'
                else tenancy.policy_verbs(c.oid)
            end as verbs
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_namespace
            and d.classid = 'pg_class'::regclass
            and (
                (c.relkind in ('r', 'p') and c.relrowsecurity)
                or (c.relkind = 'v' and tenancy.is_security_invoker(c.reloptions))
                -- An identity column needs no grant on its sequence; serial does.
                or (c.relkind = 'S' and exists (
                    select from pg_catalog.pg_depend o
                    where o.classid = 'pg_class'::regclass
                        and o.objid = c.oid
                        and o.refclassid = 'pg_class'::regclass
                        and o.deptype = 'a'
                ))
            )
        -- Asked once an object, not once more by the condition.
        offset 0
    ) r
    where r.verbs is not null
    union all
    select 'routine', p.oid::regprocedure::text, 'execute'
    from pg_catalog.pg_depend d
    join pg_catalog.pg_proc p on p.oid = d.objid
    where d.refclassid = 'pg_namespace'::regclass
        and d.refobjid = v_namespace
        and d.classid = 'pg_proc'::regclass
        and exists (
            select from tenancy.tenant_migrations m
            where m.version <= v_version and p.proname = any (m.callable_routines)
        )
    union all
    select 'schema', quote_ident(schema_name), 'usage';
end;
$$;

create or replace function public.create_tenant_schema(schema_name text default null, display_name text default null)
    returns public.tenants
    volatile
    security definer
    set search_path = ''
    -- A new schema invalidates every plan: what is planned again is planned once.
    set plan_cache_mode = force_generic_plan
    language plpgsql
as $$
declare
    v_schema_name constant text := coalesce(schema_name, tenancy.opaque_schema_name());
    v_creator constant uuid := (tenancy.caller()).user_id;
    v_tenant public.tenants;
begin
    perform tenancy.require_platform_role('admin');

    perform tenancy.require_schema_name(v_schema_name);
    perform tenancy.lock_users(array[v_creator]);
    -- Again, now that the caller is locked: they may have been deleted while waiting.
    perform tenancy.require_platform_role('admin');
    insert into public.tenants (schema_name, display_name, schema_version, created_by)
    values (
        v_schema_name,
        coalesce(display_name, v_schema_name),
        tenancy.latest_tenant_version(),
        v_creator
    )
    -- Of two callers with one name the second waits here and then finds the first's row.
    on conflict on constraint tenants_schema_name_key do nothing
    returning * into v_tenant;
    if v_tenant.id is null then
        raise exception 'There already is a tenant "%".', v_schema_name
            using errcode = 'PT409', detail = 'tenant_exists',
                hint = 'Choose another name, or leave it out for a random one.';
    end if;
    if to_regnamespace(v_schema_name) is not null then
        raise exception 'The database already has a schema "%", which is no tenant.', v_schema_name
            using errcode = 'PT409', detail = 'schema_exists',
                hint = 'Choose another name, or leave it out for a random one.';
    end if;

    perform tenancy.build_tenant_schema(v_schema_name);

    perform tenancy.log_action('tenant.create', v_tenant, jsonb_build_object('after', to_jsonb(v_tenant)));
    perform tenancy.expose_schema(v_schema_name);

    return v_tenant;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;
