-- Most tenants have nothing of their own, and then there is nothing that a migration must
-- leave alone. By names and through indexes, which costs a fraction of describing it all. What
-- is not known for a part of the template counts as the tenant's.
create function tenancy.has_own_objects(schema_name text, version text)
    returns boolean
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return exists (
        select
        from pg_catalog.pg_depend d
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = to_regnamespace(quote_ident(schema_name))
            and not case d.classid
                when 'pg_class'::regclass then exists (
                    select
                    from pg_catalog.pg_class c
                    join tenancy.tenant_template_objects o
                        on o.version = has_own_objects.version
                        and o.object_kind = case c.relkind when 'S' then 'sequence' when 'v' then 'view' else 'table' end
                        and o.object_name = c.relname::text
                    where c.oid = d.objid
                        and c.relkind in ('r', 'p', 'v', 'S')
                        and not exists (
                            select from pg_catalog.pg_attribute a
                            where a.attrelid = c.oid and a.attname like 'x\_%' and not a.attisdropped
                        )
                )
                when 'pg_proc'::regclass then exists (
                    select
                    from pg_catalog.pg_proc p
                    join tenancy.tenant_template_objects o
                        on o.version = has_own_objects.version
                        and o.object_kind = 'routine'
                        and o.object_name = p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')'
                    where p.oid = d.objid
                )
                when 'pg_type'::regclass then exists (
                    select
                    from pg_catalog.pg_type t
                    join tenancy.tenant_template_objects o
                        on o.version = has_own_objects.version
                        and o.object_kind = 'type'
                        and o.object_name = t.typname::text
                    where t.oid = d.objid
                )
                else false
            end
    );
end;
$$;

comment on function tenancy.has_own_objects(text, text) is
    'Whether there is anything in a tenant that its version of the template does not bring; in doubt, yes.';

create or replace function tenancy.own_objects(schema_name text, version text, objects tenancy.schema_object[])
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
            select t.object_kind, replace(t.object_name, 'tenant_template.', quote_ident(schema_name) || '.') as object_name
            from tenancy.tenant_template_objects t
            where t.version = own_objects.version and (t.table_name is null or t.object_kind = 'table')
        ) t
            on t.object_kind = case when o.table_name is null then o.object_kind else 'table' end
            and t.object_name = coalesce(o.table_name, o.object_name)
        where t.object_kind is null or o.is_extension
    );
end;
$$;

comment on function tenancy.own_objects(text, text, tenancy.schema_object[]) is
    'Of a tenant''s objects those that its version of the template does not bring: tables with all that is theirs, and columns x_… with what rests on them.';

-- Read through pg_depend and the indexes on the tables' oids: the cost is that of one
-- schema, however many there are. Left out is what may differ between two schemas that are
-- the same for every purpose: oids, the columns' places, privileges.
create or replace function tenancy.schema_objects(schema_name text, without_tables text[] default '{}')
    returns setof tenancy.schema_object
    stable
    security definer
    set search_path = ''
    -- Few rows by index each time; a planner that expects many would read the whole catalog.
    set enable_hashjoin = off
    set enable_mergejoin = off
    set jit = off
    -- Planning takes longer than reading, and would be done five times in each session.
    set plan_cache_mode = force_generic_plan
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

-- Attempts as short as in lock_tables, for the same reason, but of the whole migration: its
-- statements take their locks as they come, and one that waits holds what it has.
create or replace function tenancy.advance_tenant(tenant public.tenants, migration tenancy.tenant_migrations)
    returns public.tenants
    volatile
    security definer
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
declare
    v_give_up constant timestamptz := clock_timestamp() + interval '2 seconds';
    v_own constant tenancy.schema_object[] := case
        when tenancy.has_own_objects(tenant.schema_name, tenant.schema_version) then tenancy.own_objects(
            tenant.schema_name,
            tenant.schema_version,
            array(
                select row(o.*)::tenancy.schema_object
                from tenancy.schema_objects(
                    tenant.schema_name,
                    without_tables => tenancy.unextended_tables(tenant.schema_name, tenant.schema_version)
                ) o
            )
        )
        else '{}'
    end;
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

create or replace function public.migrate_tenant(schema_name text)
    returns public.tenant_migration_result
    volatile
    security definer
    set search_path = ''
    -- A backfill takes the time it takes; what waits for a lock gives up long before.
    set statement_timeout = '300s'
    -- A session is used for few tenants: what it plans it plans once, not five times first.
    set plan_cache_mode = force_generic_plan
    language plpgsql
as $$
declare
    v_before public.tenants;
    v_after public.tenants;
    v_migration tenancy.tenant_migrations;
    v_sqlstate text;
    v_message text;
begin
    v_before := tenancy.lock_tenant(schema_name, platform => 'admin', member => null);

    v_migration := tenancy.next_migration(v_before.schema_version);
    if v_migration.version is null then
        return row(schema_name, 'up_to_date', v_before.schema_version, 0, null, null)::public.tenant_migration_result;
    end if;

    begin
        v_after := tenancy.advance_tenant(v_before, v_migration);
    exception
        when others or query_canceled then
            get stacked diagnostics v_sqlstate = returned_sqlstate, v_message = message_text;
            v_message := left(v_message, 2000);
    end;

    if v_sqlstate is not null then
        insert into tenancy.unfinished_migrations as u
            (schema_name, version, sqlstate, message, failed_at, attempts)
        values (schema_name, v_migration.version, v_sqlstate, v_message, clock_timestamp(), 1)
        on conflict on constraint unfinished_migrations_pkey do update
        set version = excluded.version,
            sqlstate = excluded.sqlstate,
            message = excluded.message,
            failed_at = excluded.failed_at,
            attempts = case when u.version = excluded.version then u.attempts + 1 else 1 end;
        return row(
            schema_name, 'failed', v_migration.version,
            tenancy.pending_migrations(v_before.schema_version), v_sqlstate, v_message
        )::public.tenant_migration_result;
    end if;

    delete from tenancy.unfinished_migrations u where u.schema_name = migrate_tenant.schema_name;
    perform tenancy.log_action(
        'tenant.migrate', v_after,
        jsonb_build_object('before', to_jsonb(v_before), 'after', to_jsonb(v_after), 'name', v_migration.name)
    );
    perform tenancy.reload_schema_cache();

    return row(
        schema_name, 'migrated', v_after.schema_version,
        tenancy.pending_migrations(v_after.schema_version), null, null
    )::public.tenant_migration_result;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.migrate_tenant(text) is
    'Gives a tenant the next tenant migration it lacks, whole or not at all; suspended ones too, and they stay so. What fails is told as outcome "failed" with SQLSTATE and message, remembered for list_tenants_behind, and can be tried again. Platform admins. Errors: tenant_not_found, forbidden, not_authenticated, busy.';

revoke all on function tenancy.has_own_objects(text, text) from public, anon, authenticated, service_role;
