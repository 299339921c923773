create or replace function tenancy.exposed_schemas()
    returns text[]
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_list text;
begin
    -- The setting for this database outranks the one for the whole cluster.
    select substr(c.entry, length('pgrst.db_schemas=') + 1) into v_list
    from pg_catalog.pg_db_role_setting s
    cross join unnest(s.setconfig) c (entry)
    where s.setrole = 'authenticator'::regrole
        and s.setdatabase in (
            0, (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
        )
        and starts_with(c.entry, 'pgrst.db_schemas=')
    order by s.setdatabase desc
    limit 1;

    if v_list is not null then
        -- As we write it. Every creation reads the whole list, and a pattern takes long.
        if replace(v_list, ', ', '') !~ '[\s,]' then
            return string_to_array(v_list, ', ');
        end if;
        return regexp_split_to_array(btrim(v_list), '\s*,\s*');
    end if;

    -- Nobody has set it from SQL yet: what every Supabase project starts with. A listed but
    -- missing schema takes the whole Data API down, so only what exists.
    return array(
        select n.nspname::text
        from pg_catalog.pg_namespace n
        where n.nspname in ('public', 'graphql_public')
        order by n.nspname = 'public' desc
    );
end;
$$;

-- One trigger function per table with the table's columns written out, run once a statement
-- over the rows it touched: a generic comparison of JSON, row by row, costs many times that.
create or replace function tenancy.audit_table(schema_name text, table_name text)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_table constant oid := tenancy.require_table(schema_name, table_name);
    v_routine constant text := tenancy.audit_routine_name(table_name);
    v_is_new constant boolean := not exists (
        select from pg_catalog.pg_trigger t where t.tgrelid = v_table and t.tgname = 'audit_insert'
    );
    -- PostgreSQL looks a function up among all of its name, and each tenant has one of this
    -- name: it gets it when nothing has to look for it any more.
    v_first_name constant text := case when v_is_new then 'tg_' || v_table || '__audit' else v_routine end;
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
        schema_name, v_first_name, tenancy.audit_routine_source(schema_name, table_name)
    );

    if v_is_new then
        execute format(
            'create trigger audit_insert after insert on %1$I.%2$I'
            ' referencing new table as new_rows for each statement execute function %1$I.%3$I();'
            'create trigger audit_update after update on %1$I.%2$I'
            ' referencing old table as old_rows new table as new_rows'
            ' for each statement execute function %1$I.%3$I();'
            'create trigger audit_delete after delete on %1$I.%2$I'
            ' referencing old table as old_rows for each statement execute function %1$I.%3$I();'
            'create trigger audit_truncate after truncate on %1$I.%2$I'
            ' for each statement execute function %1$I.%3$I();'
            'revoke all on function %1$I.%3$I() from public, anon, authenticated, service_role;'
            'alter function %1$I.%3$I() rename to %4$I;',
            schema_name, table_name, v_first_name, v_routine
        );
    end if;
end;
$$;

create or replace function tenancy.apply_tenant_migration(schema_name text, migration tenancy.tenant_migrations)
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
    if cardinality(v_tables) > 0 then
        perform tenancy.audit_stale_tables(schema_name);
    end if;
end;
$$;
