create function tenancy.audience(level public.access_level)
    returns text
    immutable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return case level when 'read' then 'member' when 'write' then 'writer' else 'admin' end;
end;
$$;

comment on function tenancy.audience(public.access_level) is
    'Whom an access level lets in, as policies are named: select_member, insert_writer.';

create function tenancy.policy_test(schema_name text, level public.access_level)
    returns text
    immutable
    security definer
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

create function tenancy.policy_verbs(relation oid)
    returns text
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return (
        select string_agg(v.verb, ', ' order by v.verb)
        from (values ('r', 'select'), ('a', 'insert'), ('w', 'update'), ('d', 'delete')) v (command, verb)
        where exists (
            select from pg_catalog.pg_policy p
            where p.polrelid = relation
                and p.polcmd::text in (v.command, '*')
                and 'authenticated'::regrole = any (p.polroles)
        )
    );
end;
$$;

comment on function tenancy.policy_verbs(oid) is
    'The verbs for which a table has a policy for signed-in users, as a GRANT names them; null for none.';

create function tenancy.is_security_invoker(options text[])
    returns boolean
    immutable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- pg_class.reloptions keeps what was written: true, on, yes or 1.
    return coalesce(
        (select o.option_value::boolean
        from pg_catalog.pg_options_to_table(options) o
        where o.option_name = 'security_invoker'),
        false
    );
end;
$$;

comment on function tenancy.is_security_invoker(text[]) is
    'Whether a view with these options asks with the rights of its caller, so that the policies below it hold.';

create function tenancy.adopt_table(
    schema_name text,
    table_name text,
    reads public.access_level default 'read',
    writes public.access_level default 'write',
    audited boolean default true
)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_read_test constant text := tenancy.policy_test(schema_name, reads);
    v_write_test constant text := tenancy.policy_test(schema_name, writes);
begin
    execute format(
        'alter table %1$I.%2$I enable row level security;'
        'create policy %3$I on %1$I.%2$I for select to authenticated using (%4$s);',
        schema_name, table_name, 'select_' || tenancy.audience(reads), v_read_test
    );

    if writes is not null then
        execute format(
            'create policy %3$I on %1$I.%2$I for insert to authenticated with check (%6$s);'
            'create policy %4$I on %1$I.%2$I for update to authenticated using (%6$s) with check (%6$s);'
            'create policy %5$I on %1$I.%2$I for delete to authenticated using (%6$s);',
            schema_name, table_name,
            'insert_' || tenancy.audience(writes),
            'update_' || tenancy.audience(writes),
            'delete_' || tenancy.audience(writes),
            v_write_test
        );
    end if;

    if audited then
        perform tenancy.audit_table(schema_name, table_name);
    end if;
end;
$$;

comment on function tenancy.adopt_table(text, text, public.access_level, public.access_level, boolean) is
    'Turns a bare table into a tenant table: row level security and the policies that let these access levels read and write it (writes null: nobody through the API), and the audit trail. Privileges follow from the policies; see apply_tenant_privileges.';

-- The one place that grants anything in a tenant; what, tenant_privileges says. What is right
-- already is left alone: rewriting it would cost as much as the schema is large.
create function tenancy.apply_tenant_privileges(schema_name text)
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
            format('revoke all on %s %s from public, anon, authenticated, service_role;',
                w.object_kind, string_agg(distinct w.object_name, ', ')) as statement
        from wrong w
        where w.found is not null
        group by w.object_kind
        union all
        select 2, p.object_kind,
            format('grant %s on %s %s to authenticated, service_role;',
                p.verbs, p.object_kind, string_agg(p.object_name, ', '))
        from tenancy.tenant_privileges(schema_name) p
        where (p.object_kind, p.object_name) in (select w.object_kind, w.object_name from wrong w)
        group by p.object_kind, p.verbs
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

comment on function tenancy.apply_tenant_privileges(text) is
    'Sets the privileges of the API roles on a tenant''s schema, tables, views, sequences and routines to tenant_privileges. Only under lock_tenant.';

create function tenancy.apply_tenant_migration(schema_name text, migration tenancy.tenant_migrations)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_path constant text := format('%I, extensions, pg_temp', schema_name);
    v_tables constant oid[] := tenancy.tables_of(schema_name);
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

    -- Row level security switched on without a policy is a decision: such a table stays closed.
    perform tenancy.adopt_table(schema_name, c.relname)
    from pg_catalog.pg_class c
    where c.oid = any (tenancy.tables_of(schema_name))
        and c.oid <> all (v_tables)
        and not c.relrowsecurity
        and not exists (select from pg_catalog.pg_policy p where p.polrelid = c.oid);
    perform tenancy.audit_stale_tables(schema_name);
end;
$$;

comment on function tenancy.apply_tenant_migration(text, tenancy.tenant_migrations) is
    'Runs one tenant migration in one schema and makes its new tables tenant tables: members read, writers write, everything is audited, unless the migration said otherwise. Privileges are for apply_tenant_privileges.';

create function tenancy.build_tenant_schema(schema_name text)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_migration tenancy.tenant_migrations;
begin
    -- Notifications arrive in the order of their sending: before the first DDL statement
    -- makes an event trigger ask for the tables, PostgREST has to be told of the new list.
    perform pg_notify('pgrst', 'reload config');
    execute format('create schema %I', schema_name);

    -- Not those registered since its row was written: the row says what it has.
    for v_migration in
        select m.*
        from tenancy.tenant_migrations m
        where m.version <= (
            select t.schema_version from public.tenants t where t.schema_name = build_tenant_schema.schema_name
        )
        order by m.version
    loop
        perform tenancy.apply_tenant_migration(schema_name, v_migration);
    end loop;

    perform tenancy.apply_tenant_privileges(schema_name);
end;
$$;

comment on function tenancy.build_tenant_schema(text) is
    'Makes a tenant''s schema by replaying the tenant migrations up to the version in its registry row. Only in the transaction that writes that row.';

create function tenancy.drop_tenant_schema(schema_name text)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- A listed but missing schema takes the whole Data API down. Notifications arrive in the
    -- order of their sending: PostgREST must read the shorter list before the reload that
    -- an event trigger sends for the drop.
    perform pg_notify('pgrst', 'reload config');
    execute format('drop schema %I cascade', schema_name);
    perform tenancy.conceal_schema(schema_name);
end;
$$;

comment on function tenancy.drop_tenant_schema(text) is
    'Destroys a tenant''s schema with everything in it and takes it off the Data API. Only under lock_tenant.';

create function tenancy.latest_tenant_version()
    returns text
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return (select max(m.version) from tenancy.tenant_migrations m);
end;
$$;

comment on function tenancy.latest_tenant_version() is
    'Version of the newest tenant migration; what a new tenant starts at.';

create function tenancy.register_tenant_migration(
    version text,
    name text,
    statements text,
    callable_routines text[] default '{}'
)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_migration tenancy.tenant_migrations;
    v_settings jsonb;
    v_elsewhere text[];
    v_problem text;
begin
    -- Two that register at once take turns; nobody who reads waits.
    lock table tenancy.tenant_migrations in share row exclusive mode;

    select * into v_migration
    from tenancy.tenant_migrations m
    where m.version = register_tenant_migration.version;
    if found then
        if v_migration.statements = register_tenant_migration.statements
            and v_migration.callable_routines = register_tenant_migration.callable_routines
        then
            return;
        end if;
        raise exception 'Tenant migration % is registered already, with another text.', version
            using hint = 'Tenants may have received it. Register the change under a new version.';
    end if;
    if version <= tenancy.latest_tenant_version() then
        raise exception 'Tenant migration % comes too late: % is registered already.',
            version, tenancy.latest_tenant_version()
            using hint = 'Tenants that are past it would never receive it. Give it a version above all others.';
    end if;
    if statements ~ '\mtenant_template\M' then
        raise exception 'Tenant migration % names the reference schema.', version
            using hint = 'Leave names unqualified: it runs once in each tenant.';
    end if;

    insert into tenancy.tenant_migrations (version, name, statements, callable_routines)
    values (version, name, statements, callable_routines)
    returning * into v_migration;

    -- The reference schema goes first: what fails here fails the push, before any tenant.
    if to_regnamespace('tenant_template') is null then
        create schema tenant_template;
        comment on schema tenant_template is
            'The reference: what a tenant at the latest version looks like. Holds no rows and is never exposed.';
    end if;
    -- From here on it runs in sessions of the Data API, which others use after it.
    perform set_config('safeupdate.enabled', 'off', true);
    v_settings := tenancy.session_settings();
    v_elsewhere := tenancy.touched_elsewhere();
    perform tenancy.apply_tenant_migration('tenant_template', v_migration);

    select string_agg(s.key, ', ' order by s.key) into v_problem
    from jsonb_each(tenancy.session_settings()) s
    where s.value is distinct from v_settings -> s.key;
    if v_problem is not null then
        raise exception 'Tenant migration % leaves parameters changed: %.', version, v_problem
            using hint = 'It runs in sessions that others use after it. Remove SET from it.';
    end if;
    select string_agg(distinct substring(t.object from '^(.*) \('), ', ') into v_problem
    from unnest(tenancy.touched_elsewhere()) t (object)
    where t.object <> all (v_elsewhere);
    if v_problem is not null then
        raise exception 'Tenant migration % changes what is not the tenant''s: %.', version, v_problem
            using hint = 'It runs once in each tenant. What is needed once belongs before it, in the file itself.';
    end if;
    select string_agg(r.name, ', ') into v_problem
    from unnest(callable_routines) r (name)
    where not exists (
        select from pg_catalog.pg_proc p
        where p.proname = r.name and p.pronamespace = 'tenant_template'::regnamespace
    );
    if v_problem is not null then
        raise exception 'Tenant migration % declares callable what is not there: %.', version, v_problem
            using hint = 'callable_routines takes names of routines, without arguments.';
    end if;
    perform tenancy.require_template_shape();

    perform tenancy.apply_tenant_privileges('tenant_template');
    insert into tenancy.tenant_template_objects (version, object_kind, object_name, table_name, definition)
    select version, o.object_kind, o.object_name, o.table_name, o.definition
    from tenancy.schema_objects('tenant_template') o;
end;
$$;

comment on function tenancy.register_tenant_migration(text, text, text, text[]) is
    'Adds a tenant migration and applies it to the reference schema; no tenant is touched, new tenants start with it. callable_routines names routines that the API may call. Repeating a registration changes nothing; another text under an old version, or a version below a registered one, is refused.';

create function tenancy.find_profile(schema_name text, user_id uuid)
    returns public.user_profile
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_profile public.user_profile;
begin
    execute format(
        'select u.id, u.email, u.display_name, u.role, u.metadata, u.created_at, u.updated_at,'
        '    exists ('
        '        select from public.user_schema_access a'
        '        where a.user_id = u.id'
        '            and a.schema_name = %1$L'
        '            and (a.expires_at is null or a.expires_at > statement_timestamp())'
        '    )'
        ' from %1$I.users u where u.id = $1',
        schema_name
    )
    into v_profile
    using user_id;

    return v_profile;
end;
$$;

comment on function tenancy.find_profile(text, uuid) is
    'A user''s profile in a tenant; all null when there is none.';

create function tenancy.insert_profile(
    schema_name text,
    user_id uuid,
    display_name text,
    role text default 'member',
    metadata jsonb default '{}'
)
    returns boolean
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_inserted bigint;
begin
    -- `on conflict` waits for a rival that is about to commit, so of twenty callers at once
    -- exactly one inserts.
    execute format(
        'insert into %I.users (id, email, display_name, role, metadata)'
        ' select a.id, a.email, $2, $3, $4 from auth.users a where a.id = $1'
        ' on conflict (id) do nothing',
        schema_name
    )
    using user_id, display_name, role, metadata;

    get diagnostics v_inserted = row_count;
    return v_inserted = 1;
end;
$$;

comment on function tenancy.insert_profile(text, uuid, text, text, jsonb) is
    'Makes a profile of a user of Auth in a tenant, with the e-mail address Auth knows; whether there was none before.';

create function tenancy.update_profile(
    schema_name text,
    user_id uuid,
    display_name text,
    metadata jsonb
)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    execute format(
        'update %I.users u'
        ' set display_name = coalesce($2, u.display_name),'
        '     metadata = coalesce($3, u.metadata),'
        '     updated_at = now()'
        ' where u.id = $1',
        schema_name
    )
    using user_id, display_name, metadata;
end;
$$;

comment on function tenancy.update_profile(text, uuid, text, jsonb) is
    'Changes a profile; null leaves a field as it is.';

-- One for all tenants: it names no table.
create function tenancy.tg_settings__stamp()
    returns trigger
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    new.updated_at := now();
    new.updated_by := auth.uid();
    return new;
end;
$$;

comment on function tenancy.tg_settings__stamp() is
    'Who wrote a setting and when is for the database to say, not for the client.';

create function tenancy.find_table(schema_name text, table_name text)
    returns oid
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return (
        select c.oid
        from pg_catalog.pg_class c
        where c.relname = table_name
            and c.relnamespace = to_regnamespace(quote_ident(schema_name))
            and c.relkind in ('r', 'p')
    );
end;
$$;

comment on function tenancy.find_table(text, text) is 'A table of a tenant by its name; null when there is none.';

create function tenancy.require_table(schema_name text, table_name text)
    returns oid
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_table constant oid := tenancy.find_table(schema_name, table_name);
begin
    if v_table is null then
        raise exception 'Tenant "%" has no table %.', schema_name, coalesce(format('"%s"', tenancy.printable(table_name)), 'without a name')
            using errcode = 'PT404', detail = 'table_not_found',
                hint = 'See its tables with get_schema_tables.';
    end if;

    return v_table;
end;
$$;

comment on function tenancy.require_table(text, text) is 'A table of a tenant by its name (PT404 table_not_found).';

create function tenancy.tables_of(schema_name text)
    returns oid[]
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- Through pg_depend, whose index makes the cost that of one schema; pg_class has none
    -- by schema alone.
    return array(
        select c.oid
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = to_regnamespace(quote_ident(schema_name))
            and d.classid = 'pg_class'::regclass
            and c.relkind in ('r', 'p')
    );
end;
$$;

comment on function tenancy.tables_of(text) is 'The tables of one schema, at the cost of that schema alone.';

create function tenancy.is_template_table(table_name text)
    returns boolean
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return tenancy.find_table('tenant_template', table_name) is not null;
end;
$$;

comment on function tenancy.is_template_table(text) is
    'Whether a table belongs to every tenant, rather than to the one whose admin made it.';

create function tenancy.full_xid(short xid)
    returns xid8
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_next constant bigint := pg_snapshot_xmax(pg_current_snapshot())::text::bigint;
    v_low constant bigint := short::text::bigint;
    v_full bigint := (v_next >> 32 << 32) + v_low;
begin
    -- A row shows the lower half of its transaction's number; what lies in the future of
    -- the current epoch belongs to the one before.
    if v_full >= v_next + 2147483648 then
        v_full := v_full - 4294967296;
    end if;

    return v_full::text::xid8;
end;
$$;

comment on function tenancy.full_xid(xid) is
    'The full transaction number of a row''s xmin, for rows younger than two billion transactions.';

create function tenancy.audit_routine_name(table_name text)
    returns text
    immutable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- Longer names would be cut by PostgreSQL, and two tables could come to share one.
    if length(table_name) > 52 then
        return format('tg_%s_%s__audit', left(table_name, 43), left(md5(table_name), 8));
    end if;

    return format('tg_%s__audit', table_name);
end;
$$;

comment on function tenancy.audit_routine_name(text) is
    'Name of the trigger function that audits a table, in the table''s schema.';

create function tenancy.audit_routine_source(schema_name text, table_name text)
    returns text
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
    select
        'jsonb_build_object(' || string_agg(format('%1$L, %2$s.%1$I', a.attname, '_row'), ', ' order by a.attnum) || ')',
        string_agg(format('_old.%1$I = _new.%1$I', a.attname), ' and ' order by a.attnum)
    into v_key, v_same_key
    from pg_catalog.pg_index i
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey::smallint[])
    where i.indrelid = v_table and i.indisprimary;

    -- Compared byte by byte: `=` does not exist for json, and calls 1.0 and 1.00 the same.
    select
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
    into v_old, v_new
    from pg_catalog.pg_attribute a
    where a.attrelid = v_table and a.attnum > 0 and not a.attisdropped;

    return format(
        $sql$
declare
    v_caller constant tenancy.caller := tenancy.caller();
    v_role constant text := case v_caller.kind when 'nobody' then session_user else v_caller.kind end;
begin
    if tg_op = 'INSERT' then
        insert into %1$I.audit_log (actor_id, actor_role, action, table_name, record_id, new_values)
        select v_caller.user_id, v_role, 'insert', %2$L, %3$s, to_jsonb(_row)
        from new_rows _row;
    elsif tg_op = 'DELETE' then
        insert into %1$I.audit_log (actor_id, actor_role, action, table_name, record_id, old_values)
        select v_caller.user_id, v_role, 'delete', %2$L, %3$s, to_jsonb(_row)
        from old_rows _row;
    elsif tg_op = 'UPDATE' then
        insert into %1$I.audit_log (actor_id, actor_role, action, table_name, record_id, old_values, new_values)
        select v_caller.user_id, v_role, 'update', %2$L, %4$s,
            %5$s,
            %6$s
        from old_rows _old
        join new_rows _new on %7$s
        where row(_old.*)::record operator(pg_catalog.*<>) row(_new.*)::record
        -- A row with another key is another row.
        union all
        select v_caller.user_id, v_role, 'delete', %2$L, %3$s, to_jsonb(_row), null
        from old_rows _row
        where not exists (select from new_rows _new where %8$s)
        union all
        select v_caller.user_id, v_role, 'insert', %2$L, %3$s, null, to_jsonb(_row)
        from new_rows _row
        where not exists (select from old_rows _old where %9$s);
    else
        insert into %1$I.audit_log (actor_id, actor_role, action, table_name)
        values (v_caller.user_id, v_role, 'truncate', %2$L);
    end if;
    return null;
end;
        $sql$,
        schema_name, table_name,
        coalesce(v_key, 'null::jsonb'),
        coalesce(replace(v_key, '_row.', '_new.'), 'null::jsonb'),
        v_old, v_new,
        coalesce(v_same_key, 'false'),
        coalesce(replace(v_same_key, '_old.', '_row.'), 'false'),
        coalesce(replace(v_same_key, '_new.', '_row.'), 'false')
    );
end;
$$;

comment on function tenancy.audit_routine_source(text, text) is
    'Body of the trigger function that audits a table, with its columns as they are now.';

-- One trigger function per table with the table's columns written out, run once a statement
-- over the rows it touched: a generic comparison of JSON, row by row, costs many times that.
create function tenancy.audit_table(schema_name text, table_name text)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_table constant oid := tenancy.require_table(schema_name, table_name);
    v_routine constant text := tenancy.audit_routine_name(table_name);
begin
    execute format(
        $sql$
create or replace function %1$I.%2$I()
    returns trigger
    volatile
    security definer
    set search_path = ''
    -- The plan is kept from a session's first statement, which may have touched one row;
    -- the next may touch a million.
    set enable_nestloop = off
    language plpgsql
as %3$L
        $sql$,
        schema_name, v_routine, tenancy.audit_routine_source(schema_name, table_name)
    );

    if not exists (
        select from pg_catalog.pg_trigger t where t.tgrelid = v_table and t.tgname = 'audit_insert'
    ) then
        execute format(
            'create trigger audit_insert after insert on %1$I.%2$I'
            ' referencing new table as new_rows for each statement execute function %1$I.%3$I();'
            'create trigger audit_update after update on %1$I.%2$I'
            ' referencing old table as old_rows new table as new_rows'
            ' for each statement execute function %1$I.%3$I();'
            'create trigger audit_delete after delete on %1$I.%2$I'
            ' referencing old table as old_rows for each statement execute function %1$I.%3$I();'
            'create trigger audit_truncate after truncate on %1$I.%2$I'
            ' for each statement execute function %1$I.%3$I();',
            schema_name, table_name, v_routine
        );
    end if;
end;
$$;

comment on function tenancy.audit_table(text, text) is
    'Makes every change of a tenant''s table leave an entry in the tenant''s audit_log; again after its columns have changed. Only under lock_tenant.';

create function tenancy.audit_stale_tables(schema_name text)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.audit_table(schema_name, c.relname)
    from pg_catalog.pg_class c
    where c.oid = any (tenancy.tables_of(schema_name))
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

comment on function tenancy.audit_stale_tables(text) is
    'Brings up to date the audit trail of those template tables whose columns have changed.';

create function tenancy.tg_audit_log__refuse()
    returns trigger
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- Set, for their own statement, by the two operations that write down what they did.
    if tg_op <> 'TRUNCATE' and current_setting('tenancy.maintaining', true) = tg_relid::regclass::text then
        return case tg_op when 'DELETE' then old else new end;
    end if;

    raise exception 'An audit log is append-only: % is refused.', tg_op
        using errcode = '42501', detail = 'forbidden',
            hint = 'Retention is for prune_audit_log, requests of persons are for redact_audit_log; both are logged.';
end;
$$;

comment on function tenancy.tg_audit_log__refuse() is
    'Keeps what an audit log says: refuses update, delete and truncate to everybody, its owner included.';

create function tenancy.make_append_only(schema_name text, table_name text)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    execute format(
        'create trigger append_only before update or delete on %1$I.%2$I'
        ' for each row execute function tenancy.tg_audit_log__refuse();'
        'create trigger append_only_truncate before truncate on %1$I.%2$I'
        ' for each statement execute function tenancy.tg_audit_log__refuse();',
        schema_name, table_name
    );
end;
$$;

comment on function tenancy.make_append_only(text, text) is 'Lets a table only grow.';

-- Read through pg_depend and the indexes on the tables' oids: the cost is that of one
-- schema, however many there are. Left out is what may differ between two schemas that are
-- the same for every purpose: oids, the columns' places, privileges.
create function tenancy.schema_objects(schema_name text, without_tables text[] default '{}')
    returns setof tenancy.schema_object
    stable
    security definer
    set search_path = ''
    -- Few rows by index each time; a planner that expects many would read the whole catalog.
    set enable_hashjoin = off
    set enable_mergejoin = off
    set jit = off
    language plpgsql
as $$
declare
    v_namespace constant oid := to_regnamespace(quote_ident(schema_name));
begin
    return query
    with relations as materialized (
        select c.*
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_namespace
            and d.classid = 'pg_class'::regclass
            and not (c.relkind in ('r', 'p') and c.relname = any (without_tables))
    ),
    tables as materialized (
        select r.oid, r.relname::text as table_name
        from relations r
        where r.relkind in ('r', 'p')
    ),
    columns as materialized (
        select t.table_name, a.*,
            -- The prefix is reserved for tenants: see require_own_column.
            a.attname like 'x\_%' as is_extension
        from tables t
        join pg_catalog.pg_attribute a on a.attrelid = t.oid
        where a.attnum > 0 and not a.attisdropped
    ),
    extensions as materialized (
        select c.attrelid, array_agg(c.attnum) as numbers
        from columns c
        where c.is_extension
        group by c.attrelid
    )
    select
        case r.relkind when 'r' then 'table' when 'p' then 'table' when 'v' then 'view' else 'relation' end,
        r.relname::text,
        case when r.relkind in ('r', 'p') then r.relname::text end,
        false,
        concat_ws(
            ', ',
            'kind ' || r.relkind::text,
            'persistence ' || r.relpersistence::text,
            case when r.relrowsecurity then 'row level security' end,
            case when r.relforcerowsecurity then 'forced row level security' end,
            array_to_string(r.reloptions, ', '),
            case when r.relkind = 'p' then pg_get_partkeydef(r.oid) end,
            pg_get_expr(r.relpartbound, r.oid),
            case when r.relkind in ('v', 'm') then pg_get_viewdef(r.oid) end
        )
    from relations r
    where r.relkind not in ('S', 'c')
    union all
    select 'sequence', r.relname::text, o.table_name, coalesce(o.is_extension, false),
        concat_ws(
            ' ',
            format_type(s.seqtypid, null), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle,
            'of ' || o.table_name || '.' || o.column_name
        )
    from relations r
    join pg_catalog.pg_sequence s on s.seqrelid = r.oid
    left join lateral (
        select c.relname::text as table_name, a.attname as column_name, a.attname like 'x\_%' as is_extension
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.refobjid
        join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
        where d.classid = 'pg_class'::regclass
            and d.objid = r.oid
            and d.refclassid = 'pg_class'::regclass
            and d.deptype in ('a', 'i')
    ) o on true
    where r.relkind = 'S' and coalesce(o.table_name <> all (without_tables), true)
    union all
    select 'column', c.table_name || '.' || c.attname, c.table_name, c.is_extension,
        concat_ws(
            ' ',
            format_type(c.atttypid, c.atttypmod),
            case when c.attcollation <> t.typcollation then 'collate ' || c.attcollation::regcollation end,
            case when c.attnotnull then 'not null' end,
            'identity ' || nullif(c.attidentity::text, ''),
            'generated ' || nullif(c.attgenerated::text, ''),
            'default ' || pg_get_expr(e.adbin, e.adrelid)
        )
    from columns c
    join pg_catalog.pg_type t on t.oid = c.atttypid
    left join pg_catalog.pg_attrdef e on e.adrelid = c.attrelid and e.adnum = c.attnum
    union all
    select 'constraint', t.table_name || '.' || k.conname, t.table_name,
        coalesce(k.conkey && x.numbers, false),
        pg_get_constraintdef(k.oid)
    from tables t
    join pg_catalog.pg_constraint k on k.conrelid = t.oid
    left join extensions x on x.attrelid = t.oid
    where k.contype in ('p', 'u', 'f', 'c', 'x')
    union all
    select 'index', t.table_name || '.' || c.relname, t.table_name,
        coalesce(i.indkey::smallint[] && x.numbers, false),
        concat_ws(', ', pg_get_indexdef(i.indexrelid), case when not i.indisvalid then 'invalid' end)
    from tables t
    join pg_catalog.pg_index i on i.indrelid = t.oid
    join pg_catalog.pg_class c on c.oid = i.indexrelid
    left join extensions x on x.attrelid = t.oid
    union all
    select 'policy', t.table_name || '.' || p.polname, t.table_name, false,
        concat_ws(
            ' ',
            case when p.polpermissive then 'permissive' else 'restrictive' end,
            'for ' || p.polcmd::text,
            'to ' || array_to_string(p.polroles::regrole[], ', '),
            'using ' || pg_get_expr(p.polqual, p.polrelid),
            'with check ' || pg_get_expr(p.polwithcheck, p.polrelid)
        )
    from tables t
    join pg_catalog.pg_policy p on p.polrelid = t.oid
    union all
    select 'trigger', t.table_name || '.' || g.tgname, t.table_name, false,
        concat_ws(', ', pg_get_triggerdef(g.oid), 'enabled ' || g.tgenabled::text)
    from tables t
    join pg_catalog.pg_trigger g on g.tgrelid = t.oid
    where not g.tgisinternal
    union all
    select 'routine', format('%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)), null, false,
        case
            when p.prokind = 'a' then 'aggregate'
            -- It names the table's columns in their order, and those a tenant added.
            when p.prosrc = u.source then 'audits ' || u.table_name
            else pg_get_functiondef(p.oid)
        end
    from pg_catalog.pg_depend d
    join pg_catalog.pg_proc p on p.oid = d.objid
    left join lateral (
        select t.table_name, tenancy.audit_routine_source(schema_name, t.table_name) as source
        from tables t
        where tenancy.audit_routine_name(t.table_name) = p.proname
        limit 1
    ) u on true
    where d.refclassid = 'pg_namespace'::regclass
        and d.refobjid = v_namespace
        and d.classid = 'pg_proc'::regclass
    union all
    select 'type', t.typname::text, null, false,
        concat_ws(
            ' ',
            t.typtype::text,
            (select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
            from pg_catalog.pg_enum e where e.enumtypid = t.oid),
            (select string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', ' order by a.attnum)
            from pg_catalog.pg_attribute a where a.attrelid = t.typrelid and not a.attisdropped),
            case when t.typtype = 'd' then format_type(t.typbasetype, t.typtypmod) end,
            case when t.typnotnull then 'not null' end,
            t.typdefault,
            (select string_agg(pg_get_constraintdef(k.oid), ' ' order by k.conname)
            from pg_catalog.pg_constraint k where k.contypid = t.oid and k.contype = 'c'),
            (select format_type(g.rngsubtype, null) from pg_catalog.pg_range g where g.rngtypid = t.oid)
        )
    from pg_catalog.pg_depend d
    join pg_catalog.pg_type t on t.oid = d.objid
    where d.refclassid = 'pg_namespace'::regclass
        and d.refobjid = v_namespace
        and d.classid = 'pg_type'::regclass
        and t.typtype <> 'm';
end;
$$;

comment on function tenancy.schema_objects(text, text[]) is
    'Everything one schema is made of, but for some tables, each thing with a text that is the same in two schemas if the thing is.';

create function tenancy.template_objects(schema_name text, version text)
    returns setof tenancy.schema_object
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- The reference's name is replaced, not the tenant's: only the reference has one that
    -- means nothing else.
    return query
    select o.object_kind,
        replace(o.object_name, 'tenant_template.', quote_ident(schema_name) || '.'),
        o.table_name,
        false,
        replace(
            replace(o.definition, 'tenant_template.', quote_ident(schema_name) || '.'),
            '''tenant_template''', quote_literal(schema_name)
        )
    from tenancy.tenant_template_objects o
    where o.version = template_objects.version;
end;
$$;

comment on function tenancy.template_objects(text, text) is
    'What a tenant at a version is to be made of: the reference schema as it was then, in the tenant''s name.';

create function tenancy.own_objects(schema_name text, version text, objects tenancy.schema_object[])
    returns tenancy.schema_object[]
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return array(
        select row(o.*)::tenancy.schema_object
        from unnest(objects) o
        left join (
            select t.object_kind, t.object_name
            from tenancy.template_objects(schema_name, version) t
            where t.table_name is null or t.object_kind = 'table'
        ) t
            on t.object_kind = case when o.table_name is null then o.object_kind else 'table' end
            and t.object_name = coalesce(o.table_name, o.object_name)
        where t.object_kind is null or o.is_extension
    );
end;
$$;

comment on function tenancy.own_objects(text, text, tenancy.schema_object[]) is
    'Of a tenant''s objects those that its version of the template does not bring: tables with all that is theirs, and columns x_… with what rests on them.';

create function tenancy.schema_differences(
    schema_name text,
    version text,
    objects tenancy.schema_object[]
)
    returns setof public.schema_difference
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    with expected as materialized (
        select t.* from tenancy.template_objects(schema_name, version) t
    ),
    template_tables as (
        select e.object_name from expected e where e.object_kind = 'table'
    ),
    found as (
        select o.*
        from unnest(objects) o
        where not o.is_extension
            and (o.table_name is null or o.table_name in (select t.object_name from template_tables t))
            -- The routine that audits a table is part of that table.
            and not (
                o.object_kind = 'routine'
                and o.definition like 'audits %'
                and substr(o.definition, 8) not in (select t.object_name from template_tables t)
            )
    )
    select
        coalesce(e.object_kind, f.object_kind),
        coalesce(e.object_name, f.object_name),
        case when f.object_kind is null then 'missing' when e.object_kind is null then 'extra' else 'different' end,
        e.definition,
        f.definition
    from expected e
    full join found f on f.object_kind = e.object_kind and f.object_name = e.object_name
    where e.definition is distinct from f.definition
    order by 1, 2;
end;
$$;

comment on function tenancy.schema_differences(text, text, tenancy.schema_object[]) is
    'In what a tenant''s objects are not those of a version of the template. What tenants may make themselves does not count: tables, and columns x_… in the template''s.';

-- The tenant's admin made tables, columns and keys beside the template's, and a migration
-- written for all tenants knows of none. Whatever it ran into, it ends here or it ended well.
create function tenancy.require_template(
    schema_name text,
    version text,
    own_before tenancy.schema_object[]
)
    returns void
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_objects constant tenancy.schema_object[] := array(
        select row(o.*)::tenancy.schema_object from tenancy.schema_objects(schema_name) o
    );
    v_changed text;
    v_different text;
begin
    select string_agg(
        coalesce(b.object_kind, a.object_kind) || ' ' || coalesce(b.object_name, a.object_name), ', '
        order by coalesce(b.object_kind, a.object_kind), coalesce(b.object_name, a.object_name)
    )
    into v_changed
    from unnest(own_before) b
    full join unnest(tenancy.own_objects(schema_name, version, v_objects)) a
        on a.object_kind = b.object_kind and a.object_name = b.object_name
    where a.definition is distinct from b.definition;
    if v_changed is not null then
        raise exception 'The migration would change what is the tenant''s own: %.', left(v_changed, 1000)
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'Rename or drop what is in its way, then migrate this tenant again.';
    end if;

    select string_agg(format('%s %s is %s', d.object_kind, d.object_name, d.difference), ', ')
    into v_different
    from tenancy.schema_differences(schema_name, version, v_objects) d
    -- By itself and there before: it is no part of the template's tables and was not changed.
    where not (d.difference = 'extra' and d.object_kind in ('routine', 'type', 'view', 'relation', 'sequence'));
    if v_different is not null then
        raise exception 'The tenant would not be what the reference schema is: %.', left(v_different, 1000)
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'get_schema_drift shows what differs before the migration.';
    end if;
end;
$$;

comment on function tenancy.require_template(text, text, tenancy.schema_object[]) is
    'Refuses a tenant that is not what a version of the template says, or whose own objects are not what they were (55000).';

-- Derived from the registry and the catalog alone, so that suspending and activating again
-- ends exactly where it began. Objects are found through pg_depend, whose index makes the
-- cost that of one schema however many there are.
create function tenancy.tenant_privileges(schema_name text)
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

comment on function tenancy.tenant_privileges(text) is
    'What authenticated and service_role are to have in a tenant: nothing unless it is active; the verbs of each table''s policies; routines that a migration declared callable.';

create function tenancy.misplaced_grants(schema_name text)
    returns setof tenancy.tenant_grant
    stable
    security definer
    set search_path = ''
    set jit = off
    language plpgsql
as $$
declare
    v_namespace constant oid := to_regnamespace(quote_ident(schema_name));
begin
    return query
    with relations as materialized (
        select c.oid, c.relkind, c.relowner, c.relacl
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_namespace
            and d.classid = 'pg_class'::regclass
            and c.relkind <> 'c'
    ),
    objects as (
        select 'schema' as object_kind, quote_ident(schema_name) as object_name, n.nspowner as owner, n.nspacl as acl
        from pg_catalog.pg_namespace n
        where n.oid = v_namespace
        union all
        select case r.relkind when 'S' then 'sequence' else 'table' end, r.oid::regclass::text, r.relowner, r.relacl
        from relations r
        union all
        -- Privileges on columns, which nobody is to have, go with those on their table.
        select 'table', r.oid::regclass::text, r.relowner, a.attacl
        from relations r
        cross join lateral (
            select a.attacl from pg_catalog.pg_attribute a where a.attrelid = r.oid and a.attacl is not null offset 0
        ) a
        union all
        -- Routines everybody may call until told otherwise.
        select 'routine', p.oid::regprocedure::text, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
        from pg_catalog.pg_depend d
        join pg_catalog.pg_proc p on p.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_namespace
            and d.classid = 'pg_proc'::regclass
    ),
    found as (
        select o.object_kind, o.object_name,
            case a.grantee when 0 then 'public' else a.grantee::regrole::text end as grantee,
            string_agg(lower(a.privilege_type), ', ' order by lower(a.privilege_type)) as verbs
        from objects o
        cross join aclexplode(o.acl) a
        where a.grantee <> o.owner
        group by o.object_kind, o.object_name, a.grantee
    ),
    expected as (
        select p.object_kind, p.object_name, r.grantee, p.verbs
        from tenancy.tenant_privileges(schema_name) p
        cross join unnest(array['authenticated', 'service_role']) r (grantee)
    )
    select
        coalesce(e.object_kind, f.object_kind),
        coalesce(e.object_name, f.object_name),
        coalesce(e.grantee, f.grantee),
        e.verbs,
        f.verbs
    from expected e
    full join found f
        on f.object_kind = e.object_kind and f.object_name = e.object_name and f.grantee = e.grantee
    where e.verbs is distinct from f.verbs;
end;
$$;

comment on function tenancy.misplaced_grants(text) is
    'Where the privileges in a tenant are not those of tenant_privileges: who was to have which, and has which.';

create function tenancy.unextended_tables(schema_name text, version text)
    returns text[]
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return array(
        select t.table_name
        from tenancy.tenant_template_objects t
        where t.version = unextended_tables.version
            and t.object_kind = 'table'
            and not exists (
                select from pg_catalog.pg_attribute a
                where a.attrelid = tenancy.find_table(schema_name, t.table_name)
                    and a.attname like 'x\_%'
                    and not a.attisdropped
            )
    );
end;
$$;

comment on function tenancy.unextended_tables(text, text) is
    'Tables of a version of the template to which a tenant has added no column x_….';

create function tenancy.next_migration(version text)
    returns tenancy.tenant_migrations
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_migration tenancy.tenant_migrations;
begin
    select * into v_migration
    from tenancy.tenant_migrations m
    where m.version > next_migration.version
    order by m.version
    limit 1;

    return v_migration;
end;
$$;

comment on function tenancy.next_migration(text) is
    'The tenant migration that follows a version; null after the last.';

create function tenancy.pending_migrations(version text)
    returns integer
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return (
        select count(*)::integer from tenancy.tenant_migrations m where m.version > pending_migrations.version
    );
end;
$$;

comment on function tenancy.pending_migrations(text) is 'How many tenant migrations follow a version.';

-- Attempts as short as in lock_tables, for the same reason, but of the whole migration: its
-- statements take their locks as they come, and one that waits holds what it has.
create function tenancy.advance_tenant(tenant public.tenants, migration tenancy.tenant_migrations)
    returns public.tenants
    volatile
    security definer
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
declare
    v_give_up constant timestamptz := clock_timestamp() + interval '2 seconds';
    v_own constant tenancy.schema_object[] := tenancy.own_objects(
        tenant.schema_name,
        tenant.schema_version,
        array(
            select row(o.*)::tenancy.schema_object
            from tenancy.schema_objects(
                tenant.schema_name,
                without_tables => tenancy.unextended_tables(tenant.schema_name, tenant.schema_version)
            ) o
        )
    );
    v_after public.tenants;
begin
    loop
        begin
            perform tenancy.apply_tenant_migration(tenant.schema_name, migration);
            update public.tenants t
            set schema_version = migration.version, updated_at = now()
            where t.id = tenant.id
            returning * into strict v_after;
            perform tenancy.apply_tenant_privileges(tenant.schema_name);
            perform tenancy.require_template(tenant.schema_name, migration.version, v_own);
            return v_after;
        exception
            when lock_not_available or deadlock_detected then
                if clock_timestamp() >= v_give_up then
                    raise;
                end if;
        end;
        perform pg_sleep(0.02 + random() * 0.03);
    end loop;
end;
$$;

comment on function tenancy.advance_tenant(public.tenants, tenancy.tenant_migrations) is
    'Takes a tenant to its next version, or raises and leaves everything as it was. Only under lock_tenant.';

create function tenancy.session_settings()
    returns jsonb
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return (select jsonb_object_agg(s.name, s.setting) from pg_catalog.pg_settings s);
end;
$$;

comment on function tenancy.session_settings() is 'Every parameter and its value, as this session has it.';

create function tenancy.touched_elsewhere()
    returns text[]
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- With its place in the catalog: what is changed once more gets another one.
    return array(
        select o.object_name || ' ' || o.place
        from (
            select 'schema ' || quote_ident(n.nspname) as object_name, n.ctid as place, n.xmin as writer
            from pg_catalog.pg_namespace n
            union all
            select 'relation ' || c.oid::regclass, c.ctid, c.xmin
            from pg_catalog.pg_class c
            where c.relnamespace not in ('tenant_template'::regnamespace, 'pg_toast'::regnamespace)
            union all
            select 'routine ' || p.oid::regprocedure, p.ctid, p.xmin
            from pg_catalog.pg_proc p
            where p.pronamespace <> 'tenant_template'::regnamespace
            union all
            select 'type ' || format_type(t.oid, null), t.ctid, t.xmin
            from pg_catalog.pg_type t
            where t.typnamespace not in ('tenant_template'::regnamespace, 'pg_toast'::regnamespace)
                and t.typtype in ('d', 'e', 'r')
            union all
            select format('trigger %I on %s', t.tgname, c.oid::regclass), t.ctid, t.xmin
            from pg_catalog.pg_trigger t
            join pg_catalog.pg_class c on c.oid = t.tgrelid
            where c.relnamespace <> 'tenant_template'::regnamespace and not t.tgisinternal
            union all
            select format('policy %I on %s', p.polname, c.oid::regclass), p.ctid, p.xmin
            from pg_catalog.pg_policy p
            join pg_catalog.pg_class c on c.oid = p.polrelid
            where c.relnamespace <> 'tenant_template'::regnamespace
        ) o
        where age(o.writer) <= age(pg_current_xact_id()::xid)
            -- Ours: what others have not committed, nobody sees.
            and pg_xact_status(tenancy.full_xid(o.writer)) = 'in progress'
    );
end;
$$;

comment on function tenancy.touched_elsewhere() is
    'What this transaction has made or changed outside the reference schema. Reads the whole catalog.';

create function tenancy.require_template_shape()
    returns void
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_problem text;
begin
    select case
        when o.object_kind = 'column' then format('column "%s" is named x_…, as only tenants name theirs', o.object_name)
        -- One in each tenant: deleting what it points at would look into all of them, and
        -- each migration would lock that table.
        when o.object_kind = 'constraint' then format('"%s" points at a table that all tenants share', o.object_name)
        else format('"%s" is no table, no sequence of one, and no view with security_invoker', o.object_name)
    end
    into v_problem
    from tenancy.schema_objects('tenant_template') o
    where o.object_kind = 'relation'
        or (o.object_kind = 'sequence' and o.table_name is null)
        or (o.object_kind = 'view' and not tenancy.is_security_invoker((
            select c.reloptions
            from pg_catalog.pg_class c
            where c.relname = o.object_name and c.relnamespace = 'tenant_template'::regnamespace
        )))
        or (o.object_kind = 'column' and o.is_extension)
        or (o.object_kind = 'constraint' and o.definition ~ ' REFERENCES (?!tenant_template\.)')
    order by o.object_kind, o.object_name
    limit 1;

    if v_problem is not null then
        raise exception 'The tenant template cannot be so: %.', v_problem
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'Nothing was registered. Write the tenant migration otherwise.';
    end if;
end;
$$;

comment on function tenancy.require_template_shape() is
    'Refuses in the reference schema what no tenant may have: other relations than tables, their sequences and views with security_invoker; columns x_…; foreign keys that leave the schema (55000).';
