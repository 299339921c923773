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

-- The one place that computes what the API roles may touch in a tenant. It is derived from
-- the registry and the catalog alone, so that suspending and activating again ends exactly
-- where it began. Objects are found through pg_depend, whose index makes the cost that of
-- one schema however many there are.
create function tenancy.apply_tenant_privileges(schema_name text)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_roles constant text := 'public, anon, authenticated, service_role';
    v_active constant boolean := exists (
        select from public.tenants t
        where t.schema_name = apply_tenant_privileges.schema_name and t.status = 'active'
    );
    v_namespace constant oid := to_regnamespace(quote_ident(schema_name));
    v_relations text;
    v_sequences text;
    v_routines text;
    v_grants text;
begin
    -- The schema first: from here on the next statement of anybody fails.
    execute format('revoke all on schema %I from %s', schema_name, v_roles);

    -- Only what others than the owner may touch: rewriting the rest would cost as much as
    -- the schema is large. Routines everybody may call until told otherwise.
    select
        string_agg(c.oid::regclass::text, ', ') filter (where c.relkind <> 'S'),
        string_agg(c.oid::regclass::text, ', ') filter (where c.relkind = 'S')
    into v_relations, v_sequences
    from pg_catalog.pg_depend d
    join pg_catalog.pg_class c on c.oid = d.objid
    where d.refclassid = 'pg_namespace'::regclass
        and d.refobjid = v_namespace
        and d.classid = 'pg_class'::regclass
        and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
        and exists (select from aclexplode(c.relacl) a where a.grantee <> c.relowner);

    select string_agg(p.oid::regprocedure::text, ', ') into v_routines
    from pg_catalog.pg_depend d
    join pg_catalog.pg_proc p on p.oid = d.objid
    where d.refclassid = 'pg_namespace'::regclass
        and d.refobjid = v_namespace
        and d.classid = 'pg_proc'::regclass
        and (
            p.proacl is null
            or exists (select from aclexplode(p.proacl) a where a.grantee <> p.proowner)
        );

    if v_relations is not null then
        execute format('revoke all on table %s from %s', v_relations, v_roles);
    end if;
    if v_sequences is not null then
        execute format('revoke all on sequence %s from %s', v_sequences, v_roles);
    end if;
    if v_routines is not null then
        execute format('revoke all on routine %s from %s', v_routines, v_roles);
    end if;

    if not v_active then
        return;
    end if;

    -- Grants follow policies: a table that nobody adopted has none and stays unreachable.
    -- A view shows nothing of its own as long as it asks with its caller's rights.
    with relations as (
        select c.oid, c.relkind,
            case c.relkind
                when 'v' then 'select'
                when 'S' then 'usage, select'
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
    ),
    statements as (
        select format(
            'grant %s on %s %s to authenticated, service_role;',
            r.verbs,
            case when r.relkind = 'S' then 'sequence' else 'table' end,
            string_agg(r.oid::regclass::text, ', ')
        ) as statement
        from relations r
        where r.verbs is not null
        group by r.verbs, r.relkind = 'S', case when r.relkind = 'S' then 'sequence' else 'table' end
    )
    select string_agg(s.statement, ' ') into v_grants from statements s;

    if v_grants is not null then
        execute v_grants;
    end if;
    execute format('grant usage on schema %I to authenticated, service_role', schema_name);
end;
$$;

comment on function tenancy.apply_tenant_privileges(text) is
    'Sets the privileges of the API roles on a tenant''s schema, tables, views, sequences and routines to what its status and policies call for. Only under lock_tenant.';

create function tenancy.apply_tenant_migration(schema_name text, migration tenancy.tenant_migrations)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- For the statements alone; leaving this function puts the empty path back.
    perform set_config('search_path', format('%I, extensions, pg_temp', schema_name), true);
    execute migration.statements;
end;
$$;

comment on function tenancy.apply_tenant_migration(text, tenancy.tenant_migrations) is
    'Runs one tenant migration in one schema.';

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
    execute format('create schema %I', schema_name);

    for v_migration in select * from tenancy.tenant_migrations m order by m.version loop
        perform tenancy.apply_tenant_migration(schema_name, v_migration);
    end loop;

    perform tenancy.apply_tenant_privileges(schema_name);
end;
$$;

comment on function tenancy.build_tenant_schema(text) is
    'Makes a tenant''s schema by replaying every tenant migration. Only under lock_tenant, or in the transaction that registers the tenant.';

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

create function tenancy.register_tenant_migration(version text, name text, statements text)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_migration tenancy.tenant_migrations;
begin
    select * into v_migration
    from tenancy.tenant_migrations m
    where m.version = register_tenant_migration.version;

    if found then
        if v_migration.statements = register_tenant_migration.statements then
            return;
        end if;
        raise exception 'Tenant migration % is registered already, with another text.', version
            using hint = 'Tenants may have received it. Register the change under a new version.';
    end if;

    insert into tenancy.tenant_migrations (version, name, statements)
    values (version, name, statements)
    returning * into v_migration;

    -- The reference schema goes first: what fails here fails the push.
    if to_regnamespace('tenant_template') is null then
        create schema tenant_template;
        comment on schema tenant_template is
            'The reference: what a tenant at the latest version looks like. Holds no rows and is never exposed.';
    end if;
    perform tenancy.apply_tenant_migration('tenant_template', v_migration);
    perform tenancy.apply_tenant_privileges('tenant_template');
end;
$$;

comment on function tenancy.register_tenant_migration(text, text, text) is
    'Adds a tenant migration and applies it to the reference schema; new tenants start with it. Repeating a registration changes nothing; another text under an old version is refused.';

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
        raise exception 'Tenant "%" has no table %.', schema_name, coalesce(format('"%s"', left(table_name, 80)), 'without a name')
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
as $audit$
declare
    v_caller constant tenancy.caller := tenancy.caller();
    v_role constant text := case v_caller.kind when 'nobody' then session_user else v_caller.kind end;
begin
    if tg_op = 'INSERT' then
        insert into %1$I.audit_log (actor_id, actor_role, action, table_name, record_id, new_values)
        select v_caller.user_id, v_role, 'insert', %3$L, %4$s, to_jsonb(_row)
        from new_rows _row;
    elsif tg_op = 'DELETE' then
        insert into %1$I.audit_log (actor_id, actor_role, action, table_name, record_id, old_values)
        select v_caller.user_id, v_role, 'delete', %3$L, %4$s, to_jsonb(_row)
        from old_rows _row;
    elsif tg_op = 'UPDATE' then
        insert into %1$I.audit_log (actor_id, actor_role, action, table_name, record_id, old_values, new_values)
        select v_caller.user_id, v_role, 'update', %3$L, %5$s,
            %6$s,
            %7$s
        from old_rows _old
        join new_rows _new on %8$s
        where row(_old.*)::record operator(pg_catalog.*<>) row(_new.*)::record
        -- A row with another key is another row.
        union all
        select v_caller.user_id, v_role, 'delete', %3$L, %4$s, to_jsonb(_row), null
        from old_rows _row
        where not exists (select from new_rows _new where %9$s)
        union all
        select v_caller.user_id, v_role, 'insert', %3$L, %4$s, null, to_jsonb(_row)
        from new_rows _row
        where not exists (select from old_rows _old where %10$s);
    else
        insert into %1$I.audit_log (actor_id, actor_role, action, table_name)
        values (v_caller.user_id, v_role, 'truncate', %3$L);
    end if;
    return null;
end;
$audit$
        $sql$,
        schema_name, v_routine, table_name,
        coalesce(v_key, 'null::jsonb'),
        coalesce(replace(v_key, '_row.', '_new.'), 'null::jsonb'),
        v_old, v_new,
        coalesce(v_same_key, 'false'),
        coalesce(replace(v_same_key, '_old.', '_row.'), 'false'),
        coalesce(replace(v_same_key, '_new.', '_row.'), 'false')
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
