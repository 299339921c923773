create function tenancy.exposed_schemas()
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
    select substring(c.entry from '^pgrst\.db_schemas=(.*)$') into v_list
    from pg_catalog.pg_db_role_setting s
    cross join unnest(s.setconfig) c (entry)
    where s.setrole = 'authenticator'::regrole
        and s.setdatabase in (
            0, (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
        )
        and c.entry like 'pgrst.db_schemas=%'
    order by s.setdatabase desc
    limit 1;

    if v_list is not null then
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

comment on function tenancy.exposed_schemas() is
    'The schemas that the Data API answers for, as PostgREST''s role setting lists them.';

create function tenancy.set_exposed_schemas(schema_names text[])
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    execute format(
        'alter role authenticator in database %I set pgrst.db_schemas = %L',
        current_database(),
        array_to_string(schema_names, ', ')
    );

    -- Both are needed, the list before the tables.
    perform pg_notify('pgrst', 'reload config');
    perform tenancy.reload_schema_cache();

    -- In a longer transaction an event trigger may have sent the second before the first,
    -- and what is sent again keeps its first place. The empty payload means the same and is
    -- another notification.
    if current_setting('request.method', true) is null then
        perform pg_notify('pgrst', '');
    end if;
end;
$$;

comment on function tenancy.set_exposed_schemas(text[]) is
    'Writes the list of schemas that the Data API answers for. Only under lock_exposure.';

-- Last in the lock order: every creation and deletion of a tenant waits here, so whoever
-- holds it must have nothing left to wait for. Two transactions that alter one role setting
-- without it end in "tuple concurrently updated".
create function tenancy.lock_exposure()
    returns void
    volatile
    security definer
    set search_path = ''
    set lock_timeout = '4s'
    language plpgsql
as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('tenancy.exposed_schemas', 0));
end;
$$;

comment on function tenancy.lock_exposure() is
    'Makes changes of the exposed schema list take turns, until the transaction ends. Waits at most 4 s (55P03).';

create function tenancy.expose_schema(schema_name text)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_schemas text[];
begin
    perform tenancy.lock_exposure();
    v_schemas := tenancy.exposed_schemas();

    if not schema_name = any (v_schemas) then
        perform tenancy.set_exposed_schemas(v_schemas || schema_name);
    end if;
end;
$$;

comment on function tenancy.expose_schema(text) is
    'Puts a schema on the Data API''s list. The schema must exist when the transaction commits.';

create function tenancy.conceal_schema(schema_name text)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.lock_exposure();
    perform tenancy.set_exposed_schemas(array_remove(tenancy.exposed_schemas(), schema_name));
end;
$$;

comment on function tenancy.conceal_schema(text) is
    'Takes a schema off the Data API''s list.';
