create function tenancy.require_argument(argument text, value text)
    returns void
    immutable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    if value is null then
        raise exception '"%" is null.', argument
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Give it a value. Where it has a default, leaving it out gives that.';
    end if;
end;
$$;

comment on function tenancy.require_argument(text, text) is
    'Refuses null for an argument that needs a value (PT422 invalid_request, as the functions answer).';

revoke all on function tenancy.require_argument(text, text) from public, anon, authenticated, service_role;

create function tenancy.require_column_room(schema_name text, table_name text)
    returns void
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    -- PostgreSQL counts up to 1,600, dropped ones included. The Data API tells of 1,000; and
    -- half of a template table is kept for the columns of later tenant migrations, which
    -- fail in a tenant whose table is full.
    v_limit constant integer := case when tenancy.is_template_table(schema_name, table_name) then 800 else 999 end;
    v_columns constant integer := (
        select c.relnatts::integer from pg_catalog.pg_class c where c.oid = tenancy.require_table(schema_name, table_name)
    );
begin
    if v_columns >= v_limit then
        raise exception 'Table "%" has % columns, dropped ones included, which is the limit.', table_name, v_columns
            using errcode = 'PT422', detail = 'invalid_request', hint = 'Use a second table.';
    end if;
end;
$$;

comment on function tenancy.require_column_room(text, text) is
    'Refuses another column once a table has had as many as it can take (PT404 table_not_found, PT422 invalid_request).';

revoke all on function tenancy.require_column_room(text, text) from public, anon, authenticated, service_role;

-- Any member writes their own, and an entry of the audit log keeps each: without a limit one
-- of them could fill the disk, or make the log too deep for others to read.
create function tenancy.require_metadata(metadata jsonb)
    returns void
    immutable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    if jsonb_typeof(metadata) = 'object'
        and octet_length(metadata::text) <= 65536
        and not metadata @? '$.**{64}'
    then
        return;
    end if;

    raise exception '"metadata" is to be a JSON object of at most 64 KB, nested less than 64 levels.'
        using errcode = 'PT422', detail = 'invalid_request',
            hint = 'Nothing was changed. Keep larger things in a table of the tenant.';
end;
$$;

comment on function tenancy.require_metadata(jsonb) is
    'Refuses metadata of a profile that is no JSON object, or too large or deep to be kept in a log (PT422 invalid_request).';

revoke all on function tenancy.require_metadata(jsonb) from public, anon, authenticated, service_role;

create function tenancy.require_text(argument text, value text, longest integer, shortest integer default 0)
    returns void
    immutable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- Where an empty text would do, none does.
    if char_length(value) between shortest and longest or (value is null and shortest = 0) then
        return;
    end if;

    raise exception '"%" is to have % characters.', argument,
        case when shortest = 0 then format('at most %s', longest) else format('%s to %s', shortest, longest) end
        using errcode = 'PT422', detail = 'invalid_request',
            hint = 'Nothing was changed. Send a text of that length.';
end;
$$;

comment on function tenancy.require_text(text, text, integer, integer) is
    'Refuses a text of an argument that is too short or too long, in characters (PT422 invalid_request, as the functions answer).';

revoke all on function tenancy.require_text(text, text, integer, integer) from public, anon, authenticated, service_role;

create or replace function tenancy.add_column(
    schema_name text,
    table_name text,
    column_name text,
    column_type text,
    is_nullable boolean,
    default_value jsonb,
    default_expression text
)
    returns void
    volatile
    security definer
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
declare
    v_definition constant text := tenancy.column_definition(
        column_name, column_type, is_nullable, default_value, default_expression
    );
begin
    perform tenancy.lock_tables(schema_name, array[table_name]);

    begin
        execute format('alter table %I.%I add column %s', schema_name, table_name, v_definition);
    exception
        when query_canceled then
            raise exception 'Writing "%" into all rows of "%" takes too long: nobody could read the table meanwhile.',
                column_name, table_name
                using errcode = 'PT422', detail = 'invalid_request',
                    hint = 'Nothing was changed. Add the column without a default, and fill it by updates of some thousand rows each.';
    end;
    perform tenancy.audit_table(schema_name, table_name);
    perform tenancy.reload_schema_cache();
exception
    when duplicate_column then
        raise exception 'Table "%" already has a column "%".', table_name, column_name
            using errcode = 'PT409', detail = 'column_exists', hint = 'Choose another name.';
    when not_null_violation then
        raise exception 'Table "%" has rows, and they would have no value in "%".', table_name, column_name
            using errcode = 'PT409', detail = 'table_not_empty',
                hint = 'Give the column a default_value, or let it be nullable.';
    when datatype_mismatch then
        raise exception 'The default expression does not fit the type of the column.'
            using errcode = 'PT400', detail = 'invalid_default',
                hint = 'now() and current_date fit dates and times, gen_random_uuid() and auth.uid() fit uuid.';
    when program_limit_exceeded then
        raise exception 'Table "%" cannot take another column: %.', table_name, sqlerrm
            using errcode = 'PT422', detail = 'invalid_request', hint = 'Use a second table.';
end;
$$;

comment on function tenancy.add_column(text, text, text, text, boolean, jsonb, text) is
    'Adds a column to a table of a tenant. Only under lock_tenant (PT400: invalid_identifier, invalid_column_type, invalid_default; PT409: column_exists, table_not_empty; PT422 invalid_request; 55P03).';

create or replace function tenancy.add_foreign_key(
    schema_name text,
    table_name text,
    column_name text,
    foreign_table text,
    foreign_column text,
    on_delete text,
    on_update text
)
    returns text
    volatile
    security definer
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
declare
    v_table constant oid := tenancy.require_table(schema_name, table_name);
    v_number constant smallint := tenancy.require_column(schema_name, table_name, column_name);
    v_on_delete constant text := tenancy.require_foreign_key_action(on_delete);
    v_on_update constant text := tenancy.require_foreign_key_action(on_update);
    v_constraint_name text;
begin
    perform tenancy.require_column(schema_name, foreign_table, foreign_column);
    perform tenancy.lock_tables(schema_name, array[table_name, foreign_table], 'share row exclusive');

    -- Without it, every delete on the other side reads this whole table.
    if not exists (
        select from pg_catalog.pg_index i where i.indrelid = v_table and i.indkey[0] = v_number
    ) then
        execute format('create index on %I.%I (%I)', schema_name, table_name, column_name);
    end if;

    -- PostgreSQL finds a name that is free and fits.
    execute format(
        'alter table %1$I.%2$I add foreign key (%3$I) references %1$I.%4$I (%5$I) on delete %6$s on update %7$s not valid',
        schema_name, table_name, column_name, foreign_table, foreign_column, v_on_delete, v_on_update
    );
    select k.conname into strict v_constraint_name
    from pg_catalog.pg_constraint k
    where k.conrelid = v_table and k.contype = 'f'
    order by k.oid desc
    limit 1;
    execute format('alter table %I.%I validate constraint %I', schema_name, table_name, v_constraint_name);
    perform tenancy.reload_schema_cache();

    return v_constraint_name;
exception
    when foreign_key_violation then
        raise exception 'Rows of "%" have values in "%" that "%" does not have in "%".',
            table_name, column_name, foreign_table, foreign_column
            using errcode = 'PT409', detail = 'foreign_key_violation',
                hint = 'Nothing was changed. Correct those rows and try again.';
    when invalid_foreign_key then
        raise exception 'Column "%" of table "%" is neither its primary key nor unique.', foreign_column, foreign_table
            using errcode = 'PT409', detail = 'foreign_key_target',
                hint = 'Point at a primary key or a unique column.';
    when datatype_mismatch then
        raise exception 'Column "%" of table "%" and column "%" of table "%" have types that cannot be compared.',
            column_name, table_name, foreign_column, foreign_table
            using errcode = 'PT400', detail = 'invalid_column_type',
                hint = 'Give both columns the same type.';
    when program_limit_exceeded then
        raise exception 'Values of "%" are too long for the index that a foreign key needs: %.', column_name, sqlerrm
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Nothing was changed. Use a column of short values, such as a uuid.';
    when undefined_object then
        raise exception 'A column of type json cannot be part of a foreign key.'
            using errcode = 'PT400', detail = 'invalid_column_type', hint = 'Use another column.';
end;
$$;

comment on function tenancy.add_foreign_key(text, text, text, text, text, text, text) is
    'Adds a foreign key between two tables of one tenant, indexed and validated; its name. Writers of both tables wait until the transaction ends, readers do not. Only under lock_tenant (PT400 invalid_column_type; PT404: table_not_found, column_not_found; PT409: foreign_key_violation, foreign_key_target; PT422 invalid_request; 55P03).';

create or replace function tenancy.audit_routine_name(table_name text)
    returns text
    immutable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- Longer names would be cut by PostgreSQL, and two tables could come to share one. A name
    -- of 52 characters would fit, and could be the shortened one of another.
    if length(table_name) > 51 then
        return format('tg_%s_%s__audit', left(table_name, 43), left(md5(table_name), 8));
    end if;

    return format('tg_%s__audit', table_name);
end;
$$;

comment on function tenancy.audit_routine_name(text) is
    'Name of the trigger function that audits a table, in the table''s schema.';

create or replace function tenancy.register_tenant_migration(
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
    v_routines oid[];
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
    v_routines := array(
        select p.oid from pg_catalog.pg_proc p where p.pronamespace = 'tenant_template'::regnamespace
    );
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
    -- Callable are names: another routine of such a name would be open without a word.
    select string_agg(distinct p.proname::text, ', ') into v_problem
    from pg_catalog.pg_proc p
    where p.pronamespace = 'tenant_template'::regnamespace
        and p.oid <> all (v_routines)
        and p.proname <> all (callable_routines)
        and exists (
            select from tenancy.tenant_migrations m where p.proname = any (m.callable_routines)
        );
    if v_problem is not null then
        raise exception 'Tenant migration % makes a routine of a name that the API may call already: %.', version, v_problem
            using hint = 'Name it in callable_routines if the API may call this one, too; else call it otherwise.';
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

create or replace function tenancy.require_column(schema_name text, table_name text, column_name text)
    returns smallint
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_number smallint;
begin
    select a.attnum into v_number
    from pg_catalog.pg_attribute a
    where a.attrelid = tenancy.require_table(schema_name, table_name)
        and a.attname = column_name
        and a.attnum > 0
        and not a.attisdropped;

    if v_number is null then
        raise exception 'Table "%" has no column %.', table_name, coalesce('"' || tenancy.printable(column_name) || '"', 'without a name')
            using errcode = 'PT404', detail = 'column_not_found',
                hint = 'See its columns with get_table_columns.';
    end if;

    return v_number;
end;
$$;

comment on function tenancy.require_column(text, text, text) is
    'The number of a column of a tenant''s table (PT404: table_not_found, column_not_found).';

-- The shape of create_table's argument, for those who call the RPC itself.
create or replace function tenancy.require_column_objects(columns jsonb)
    returns void
    immutable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_problem text;
begin
    if columns is null or jsonb_typeof(columns) <> 'array' then
        v_problem := '"columns" is not an array.';
    elsif jsonb_array_length(columns) > 999 then
        v_problem := 'A table is made with at most 999 columns.';
    else
        select case
            when jsonb_typeof(c.value) <> 'object'
                then format('Column %s is not an object.', c.place)
            when u.key is not null
                then format('Column %s has an unknown key %s.', c.place, tenancy.printable(to_json(u.key)::text))
            when k.key is not null
                then format('"%s" of column %s is not a %s.', k.key, c.place, k.kind)
            end
        into v_problem
        from jsonb_array_elements(columns) with ordinality c (value, place)
        left join lateral (
            select x.key
            from jsonb_object_keys(case when jsonb_typeof(c.value) = 'object' then c.value else '{}' end) x (key)
            where x.key not in (
                'name', 'type', 'nullable', 'default', 'default_expression', 'primary_key', 'unique'
            )
            limit 1
        ) u on true
        left join lateral (
            select x.key, x.kind
            from (
                values
                    ('name', 'string', true),
                    ('type', 'string', true),
                    ('nullable', 'boolean', false),
                    ('default_expression', 'string', false),
                    ('primary_key', 'boolean', false),
                    ('unique', 'boolean', false)
            ) x (key, kind, needed)
            where case
                when c.value ? x.key and (x.needed or c.value -> x.key <> 'null')
                    then jsonb_typeof(c.value -> x.key) <> x.kind
                else x.needed
            end
            limit 1
        ) k on jsonb_typeof(c.value) = 'object'
        where jsonb_typeof(c.value) <> 'object' or u.key is not null or k.key is not null
        order by c.place
        limit 1;
    end if;

    if v_problem is not null then
        raise exception '%', v_problem
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Give columns as [{"name": "title", "type": "text", "nullable": false}, …]; also default, default_expression, primary_key, unique.';
    end if;
end;
$$;

comment on function tenancy.require_column_objects(jsonb) is
    'Refuses a columns argument of the wrong shape (PT422 invalid_request, as the functions answer).';

create or replace function tenancy.require_foreign_key(schema_name text, table_name text, constraint_name text)
    returns public.table_foreign_key
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_foreign_key public.table_foreign_key;
begin
    select * into v_foreign_key
    from tenancy.describe_foreign_keys(tenancy.require_table(schema_name, table_name)) k
    where k.constraint_name = require_foreign_key.constraint_name;

    if not found then
        raise exception 'Table "%" has no foreign key %.', table_name,
            coalesce('"' || tenancy.printable(constraint_name) || '"', 'without a name')
            using errcode = 'PT404', detail = 'constraint_not_found',
                hint = 'See its foreign keys with get_table_foreign_keys.';
    end if;

    return v_foreign_key;
end;
$$;

comment on function tenancy.require_foreign_key(text, text, text) is
    'A foreign key of a tenant''s table by its name (PT404: table_not_found, constraint_not_found).';

create or replace function tenancy.require_platform_role(role public.platform_role)
    returns void
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_role public.platform_role;
begin
    perform tenancy.require_signed_in();
    v_role := tenancy.platform_role();

    if v_role >= require_platform_role.role then
        return;
    end if;

    perform tenancy.log_refusal('forbidden');
    raise exception 'This needs the platform role "%"; you have %.',
        require_platform_role.role, coalesce('"' || v_role || '"', 'none')
        using errcode = '42501', detail = 'forbidden',
            hint = 'Ask a super_admin of the platform.';
end;
$$;

comment on function tenancy.require_platform_role(public.platform_role) is
    'Refuses whoever has less than this platform role (PT401 not_authenticated, 42501 forbidden).';

create or replace function tenancy.require_schema_name(schema_name text)
    returns void
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- 63 bytes is PostgreSQL's limit for a name; it cuts longer ones silently, and two
    -- tenants would become one. ASCII alone, because look-alikes are different names.
    if schema_name is null or schema_name !~ '^[a-z][a-z0-9_]{2,62}$' then
        raise exception 'A schema name has 3 to 63 characters: lower-case letters a-z, digits and underscores, a letter first.'
            using errcode = 'PT400', detail = 'invalid_schema_name',
                hint = 'Choose another name, or leave it out for a random one.';
    end if;

    if schema_name ~ '^(pg_|supabase|graphql)'
        or schema_name in (
            'auth', 'cron', 'extensions', 'information_schema', 'net', 'pgbouncer', 'pgmq',
            'pgmq_public', 'pgsodium', 'pgsodium_masks', 'pgtle', 'public', 'realtime', 'repack',
            'storage', 'tenancy', 'tenant_template', 'tiger', 'tiger_data', 'topology', 'vault'
        )
        -- A role's unqualified names mean, first of all, what is in the schema of its name.
        or to_regrole(schema_name) is not null
    then
        raise exception 'The name "%" is reserved.', schema_name
            using errcode = 'PT400', detail = 'invalid_schema_name',
                hint = 'Choose another name, or leave it out for a random one.';
    end if;
end;
$$;

comment on function tenancy.require_schema_name(text) is
    'Refuses names a tenant''s schema cannot have (PT400 invalid_schema_name).';

-- Who may do what with one tenant. Each RPC names the platform role and the access level
-- that suffice; null means that nobody of that kind may.
create or replace function tenancy.require_standing(
    schema_name text,
    platform public.platform_role,
    member public.access_level,
    even_suspended boolean default false
)
    returns void
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_role public.platform_role;
    v_access public.access_level;
    v_status public.tenant_status;
begin
    perform tenancy.require_signed_in();
    v_role := tenancy.platform_role();
    v_access := tenancy.access_level(schema_name);
    select t.status into v_status
    from public.tenants t
    where t.schema_name = require_standing.schema_name;

    -- To a stranger an existing tenant and a missing one look the same.
    if v_status is null or (v_role is null and v_access is null) then
        perform tenancy.log_refusal('tenant_not_found', schema_name);
        raise exception 'There is no tenant "%".', tenancy.printable(schema_name)
            using errcode = 'PT404', detail = 'tenant_not_found',
                hint = 'Check the name with list_my_tenants, or ask for access.';
    end if;

    if v_role >= platform then
        return;
    end if;

    if v_access >= member then
        if v_status = 'active' or even_suspended then
            return;
        end if;
        perform tenancy.log_refusal('tenant_suspended', schema_name);
        raise exception 'Tenant "%" is suspended.', schema_name
            using errcode = '42501', detail = 'tenant_suspended',
                hint = 'Nothing is lost. It answers again once a platform admin activates it.';
    end if;

    perform tenancy.log_refusal('forbidden', schema_name);
    raise exception 'This needs % on tenant "%".',
        concat_ws(
            ' or ',
            'the access level "' || member || '"',
            'the platform role "' || platform || '"'
        ),
        schema_name
        using errcode = '42501', detail = 'forbidden',
            hint = 'Ask an admin of the tenant or of the platform.';
end;
$$;

comment on function tenancy.require_standing(text, public.platform_role, public.access_level, boolean) is
    'Refuses whoever has neither this platform role nor this access level in an active tenant (PT401 not_authenticated; 42501: forbidden, tenant_suspended; PT404 tenant_not_found, the same for a stranger and for a missing tenant).';

create or replace function tenancy.require_table(schema_name text, table_name text)
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
        raise exception 'Tenant "%" has no table %.', schema_name, coalesce('"' || tenancy.printable(table_name) || '"', 'without a name')
            using errcode = 'PT404', detail = 'table_not_found',
                hint = 'See its tables with get_schema_tables.';
    end if;

    return v_table;
end;
$$;

comment on function tenancy.require_table(text, text) is 'A table of a tenant by its name (PT404 table_not_found).';

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
        concat_ws(
            ', ',
            case
                -- The words of pg_get_triggerdef, which looks up all functions of that name to
                -- find them, and each tenant has one.
                when p.pronamespace = v_namespace and g.tgqual is null and g.tgconstraint = 0
                    and g.tgnargs = 0 and cardinality(g.tgattr) = 0
                then concat_ws(
                    ' ',
                    'CREATE TRIGGER', quote_ident(g.tgname),
                    case g.tgtype & 66 when 2 then 'BEFORE' else 'AFTER' end,
                    concat_ws(
                        ' OR ',
                        case when g.tgtype & 4 > 0 then 'INSERT' end,
                        case when g.tgtype & 8 > 0 then 'DELETE' end,
                        case when g.tgtype & 16 > 0 then 'UPDATE' end,
                        case when g.tgtype & 32 > 0 then 'TRUNCATE' end
                    ),
                    format('ON %I.%I', schema_name, t.table_name),
                    case when num_nonnulls(g.tgoldtable, g.tgnewtable) > 0 then 'REFERENCING' end,
                    'OLD TABLE AS ' || quote_ident(g.tgoldtable),
                    'NEW TABLE AS ' || quote_ident(g.tgnewtable),
                    case g.tgtype & 1 when 1 then 'FOR EACH ROW' else 'FOR EACH STATEMENT' end,
                    format('EXECUTE FUNCTION %I.%I()', schema_name, p.proname)
                )
                else pg_get_triggerdef(g.oid)
            end,
            'enabled ' || g.tgenabled::text
        )
    from tables t
    join pg_catalog.pg_trigger g on g.tgrelid = t.oid
    join pg_catalog.pg_proc p on p.oid = g.tgfoid
    where not g.tgisinternal
    union all
    select 'rule', t.table_name || '.' || r.rulename, t.table_name, false, pg_get_ruledef(r.oid)
    from tables t
    join pg_catalog.pg_rewrite r on r.ev_class = t.oid
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

create or replace function public.grant_schema_access(
    schema_name text,
    user_id uuid,
    access_level public.access_level default 'read',
    expires_at timestamptz default null
)
    returns public.user_schema_access
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_caller constant tenancy.caller := tenancy.caller();
    v_tenant public.tenants;
    v_before public.user_schema_access;
    v_after public.user_schema_access;
begin
    perform tenancy.require_standing(schema_name, platform => 'admin', member => 'admin');
    perform tenancy.require_user(user_id);
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');
    perform tenancy.require_argument('access_level', access_level::text);
    perform tenancy.require_grantable(schema_name, user_id, access_level, expires_at);

    select * into v_before
    from public.user_schema_access a
    where a.user_id = grant_schema_access.user_id
        and a.schema_name = grant_schema_access.schema_name;
    if v_before.access_level = grant_schema_access.access_level
        and v_before.expires_at is not distinct from grant_schema_access.expires_at
    then
        return v_before;
    end if;

    insert into public.user_schema_access as a (user_id, schema_name, access_level, expires_at, granted_by)
    values (user_id, schema_name, access_level, expires_at, v_caller.user_id)
    on conflict on constraint user_schema_access_pkey do update
    set access_level = excluded.access_level,
        expires_at = excluded.expires_at,
        granted_by = excluded.granted_by,
        granted_at = now()
    where a.user_id = excluded.user_id and a.schema_name = excluded.schema_name
    returning * into v_after;

    perform tenancy.log_action(
        'access.grant', v_tenant,
        jsonb_build_object(
            'before', case when v_before.user_id is not null then to_jsonb(v_before) end,
            'after', to_jsonb(v_after)
        )
    );

    return v_after;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.grant_schema_access(text, uuid, public.access_level, timestamptz) is
    'Lets a user into a tenant at a level, until expires_at (null: until revoked); replaces what they had. Repeating it changes nothing. Nobody changes their own grant, except that platform admins may let themselves in. A tenant admin whose own grant expires can grant neither admin nor anything past that moment. Admins of the tenant or of the platform. Errors: invalid_request, tenant_not_found, user_not_found, own_grant, tenant_suspended, forbidden, not_authenticated, busy.';

create or replace function public.promote_to_admin(user_id uuid, role public.platform_role default 'admin')
    returns public.admin_users
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_caller constant tenancy.caller := tenancy.caller();
    -- Before the change: it may be the caller's own.
    v_actor_role constant text := tenancy.actor_role(null);
    v_before public.admin_users;
    v_after public.admin_users;
begin
    perform tenancy.require_platform_role('super_admin');
    perform tenancy.require_user(user_id);
    -- Again, now that the caller is locked: they may have been deleted while waiting.
    perform tenancy.require_platform_role('super_admin');
    perform tenancy.require_argument('role', role::text);
    if role < 'super_admin' then
        perform tenancy.require_other_super_admin(user_id);
    end if;

    select * into v_before from public.admin_users a where a.user_id = promote_to_admin.user_id for update;
    if v_before.role = promote_to_admin.role then
        return v_before;
    end if;

    insert into public.admin_users as a (user_id, role, granted_by)
    values (user_id, role, v_caller.user_id)
    on conflict on constraint admin_users_pkey do update
    set role = excluded.role, granted_by = excluded.granted_by
    where a.user_id = excluded.user_id
    returning * into v_after;

    perform tenancy.log_action(
        'admin.promote', null,
        jsonb_build_object(
            'before', case when v_before.user_id is not null then to_jsonb(v_before) end,
            'after', to_jsonb(v_after)
        ),
        v_actor_role
    );

    return v_after;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.promote_to_admin(uuid, public.platform_role) is
    'Gives a user a platform role in place of the one they had, which may be higher. The first super_admin is made with the service key. Repeating it changes nothing. super_admins. Errors: invalid_request, user_not_found, last_super_admin, forbidden, not_authenticated, busy.';

create or replace function public.prune_audit_log(schema_name text, before timestamptz)
    returns public.audit_pruning
    volatile
    security definer
    set search_path = ''
    set statement_timeout = '60s'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_pruning public.audit_pruning;
begin
    if schema_name is null then
        perform tenancy.require_platform_role('admin');
    else
        v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => null);
    end if;

    -- Null is what a program sends that has lost its date, and nothing is older than the future.
    if before is null or before > now() then
        raise exception '"before" is to be a moment in the past.'
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Nothing was removed. Give the moment up to which entries may go, for example "2026-01-31T00:00:00Z".';
    end if;
    v_pruning := tenancy.prune_audit_log(coalesce(schema_name, 'public'), before);

    if v_pruning.removed > 0 then
        perform tenancy.log_action(
            'audit.prune', v_tenant,
            jsonb_build_object('log', v_pruning.schema_name, 'removed_before', before, 'removed', v_pruning.removed, 'head', v_pruning.head)
        );
    end if;

    return v_pruning;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.prune_audit_log(text, timestamptz) is
    'Retention: removes the entries of a tenant''s audit log, or with a null name of admin_audit_log, that are older than a moment and sealed; the rest of the chain stays verifiable. Platform admins; logged as audit.prune with the number removed and their head. Errors: invalid_request, tenant_not_found, forbidden, not_authenticated, busy.';

create or replace function public.add_column(
    schema_name text,
    table_name text,
    column_name text,
    column_type text,
    is_nullable boolean default true,
    default_value jsonb default null,
    default_expression text default null
)
    returns public.table_column
    volatile
    security definer
    set search_path = ''
    -- Nobody reads the table while its rows are written anew, and PostgREST, which waits for it
    -- when somebody else's schema has changed, gives up after 8 s and then answers nobody.
    set statement_timeout = '5s'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_table oid;
    v_is_nullable constant boolean := coalesce(is_nullable, true);
    v_column public.table_column;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    v_table := tenancy.require_table(schema_name, table_name);
    perform tenancy.require_own_column(schema_name, table_name, column_name);
    -- The profile RPCs insert into users without knowing of this column.
    if tenancy.is_template_table(schema_name, table_name)
        and not v_is_nullable and default_value is null and default_expression is null
    then
        raise exception 'A column added to "%" is nullable or has a default.', table_name
            using errcode = 'PT409', detail = 'protected_table',
                hint = 'The product itself inserts rows there and does not know your column.';
    end if;

    perform tenancy.require_column_room(schema_name, table_name);
    perform tenancy.add_column(
        schema_name, table_name, column_name, column_type, v_is_nullable, default_value, default_expression
    );
    select * into v_column
    from tenancy.describe_columns(v_table) c
    where c.column_name = add_column.column_name;

    perform tenancy.log_action(
        'column.add', v_tenant,
        jsonb_build_object('table_name', table_name, 'after', to_jsonb(v_column))
    );

    return v_column;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.add_column(text, text, text, text, boolean, jsonb, text) is
    'Adds a column to a table of a tenant; to users and settings only as x_…, nullable or with a default. Existing rows get the default; gen_random_uuid() makes PostgreSQL write them all anew while readers wait, and is refused where that takes longer than 5 s. Admins of the tenant or of the platform. Errors: invalid_identifier, invalid_column_type, invalid_default, invalid_request, table_not_found, column_exists, table_not_empty, protected_table, tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';

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
    -- Longer than the role's own: validating and rewriting take their time.
    set statement_timeout = '60s'
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

comment on function public.create_table(text, text, jsonb, text) is
    'Makes a table in a tenant, reachable through the Data API at once: members read it, writers write it. columns is an array of {name, type, nullable = true, default, default_expression, primary_key, unique}; without a primary key, the column id becomes it, made as uuid where there is none. Admins of the tenant or of the platform. Errors: invalid_identifier, invalid_column_type, invalid_default, invalid_request, table_exists, column_exists, table_limit, tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';

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
    perform tenancy.require_text('display_name', coalesce(display_name, v_schema_name), 200, shortest => 1);
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

    -- Before the schema, whose making has every plan forgotten that this shares with the above.
    perform tenancy.log_action('tenant.create', v_tenant, jsonb_build_object('after', to_jsonb(v_tenant)));

    perform tenancy.build_tenant_schema(v_schema_name);

    perform tenancy.expose_schema(v_schema_name);

    return v_tenant;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.create_tenant_schema(text, text) is
    'Makes a tenant: its schema with the template''s tables, and its place on the Data API, where it answers within moments. Left out, the name is a random one that tells nothing. Platform admins. Errors: invalid_schema_name, invalid_request, tenant_exists, schema_exists, forbidden, not_authenticated, busy.';

create or replace function public.delete_tenant_schema(schema_name text)
    returns public.tenants
    volatile
    security definer
    set search_path = ''
    -- Longer than the role's own: a long audit log is sealed before it goes.
    set statement_timeout = '60s'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_seal public.audit_seal;
begin
    perform tenancy.require_standing(schema_name, platform => 'super_admin', member => null);
    -- Users before their grants: one who is being deleted takes along their own and their
    -- name on those they made, in no order that could be kept here.
    perform tenancy.lock_users(array(
        select u.id
        from public.user_schema_access a
        cross join unnest(array[a.user_id, a.granted_by]) u (id)
        where a.schema_name = delete_tenant_schema.schema_name
    ));
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'super_admin', member => null);

    if v_tenant.status <> 'suspended' then
        raise exception 'Tenant "%" is active.', schema_name
            using errcode = 'PT409', detail = 'tenant_active',
                hint = 'Deleting destroys all its data. Suspend it first with suspend_tenant.';
    end if;

    -- The trail goes with the tenant; what remains is what it amounted to.
    v_seal := tenancy.forget_audit_log(schema_name);
    -- The grants go by cascade.
    delete from public.tenants t where t.id = v_tenant.id;
    perform tenancy.log_action(
        'tenant.delete', v_tenant,
        jsonb_build_object('before', to_jsonb(v_tenant), 'audit_log', to_jsonb(v_seal))
    );
    perform tenancy.drop_tenant_schema(schema_name);

    return v_tenant;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.delete_tenant_schema(text) is
    'Destroys a suspended tenant: schema, rows, grants and its place on the Data API. admin_audit_log keeps what was done. There is no way back. super_admins. Errors: tenant_not_found, tenant_active, forbidden, not_authenticated, busy.';

create or replace function public.rename_tenant(schema_name text, display_name text)
    returns public.tenants
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_before public.tenants;
    v_after public.tenants;
begin
    v_before := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    perform tenancy.require_text('display_name', display_name, 200, shortest => 1);
    if v_before.display_name = rename_tenant.display_name then
        return v_before;
    end if;

    update public.tenants t
    set display_name = rename_tenant.display_name, updated_at = now()
    where t.id = v_before.id
    returning * into v_after;

    perform tenancy.log_action(
        'tenant.rename', v_after,
        jsonb_build_object('before', v_before.display_name, 'after', v_after.display_name)
    );

    return v_after;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.rename_tenant(text, text) is
    'Changes what people call a tenant; the schema keeps its name. Admins of the tenant or of the platform. Errors: invalid_request, tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';

create or replace function public.suspend_tenant(schema_name text, reason text default null)
    returns public.tenants
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_before public.tenants;
    v_after public.tenants;
begin
    v_before := tenancy.lock_tenant(schema_name, platform => 'admin', member => null);

    perform tenancy.require_text('reason', reason, 1000);
    if v_before.status = 'suspended' then
        return v_before;
    end if;

    update public.tenants t
    set status = 'suspended', suspended_at = now(), suspension_reason = reason, updated_at = now()
    where t.id = v_before.id
    returning * into v_after;
    perform tenancy.apply_tenant_privileges(schema_name);

    perform tenancy.log_action(
        'tenant.suspend', v_after,
        jsonb_build_object('before', to_jsonb(v_before), 'after', to_jsonb(v_after))
    );

    return v_after;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.suspend_tenant(text, text) is
    'Closes a tenant at once, service key included: USAGE on the schema first, then every privilege in it. No row is lost. Repeating it changes nothing, the first reason stays. Platform admins. Errors: invalid_request, tenant_not_found, forbidden, not_authenticated, busy.';

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
            -- What a value cannot become is told with the value, and staff read no rows of tenants.
            if v_sqlstate like '22%' and v_sqlstate <> '22012' then
                v_message := 'A value in the tenant does not fit. It is the tenant''s and not shown here.';
            end if;
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

create or replace function public.create_user_profile(
    schema_name text,
    user_id uuid,
    display_name text default null,
    role text default 'member',
    metadata jsonb default '{}'
)
    returns public.user_profile
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_profile public.user_profile;
begin
    perform tenancy.require_standing(schema_name, platform => 'admin', member => 'admin');
    perform tenancy.require_user(user_id);
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    perform tenancy.require_text('display_name', display_name, 200);
    perform tenancy.require_text('role', role, 100, shortest => 1);
    perform tenancy.require_metadata(metadata);
    if not tenancy.insert_profile(schema_name, user_id, display_name, role, metadata) then
        raise exception 'User % already has a profile in tenant "%".', user_id, schema_name
            using errcode = 'PT409', detail = 'profile_exists',
                hint = 'Read it with get_user_profile.';
    end if;
    v_profile := tenancy.find_profile(schema_name, user_id);

    -- Staff read this log, and they read no rows of tenants: the values stand in the
    -- tenant's own.
    perform tenancy.log_action(
        'profile.create', v_tenant, jsonb_build_object('after', jsonb_build_object('id', v_profile.id))
    );

    return v_profile;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.create_user_profile(text, uuid, text, text, jsonb) is
    'Makes a profile for a user. It grants nothing: access is for grant_schema_access. role is the product''s own label; metadata is a JSON object. Admins of the tenant or of the platform. Errors: invalid_request, tenant_not_found, user_not_found, profile_exists, tenant_suspended, forbidden, not_authenticated, busy.';

create or replace function public.ensure_user_profile(schema_name text, display_name text default null)
    returns public.ensured_user_profile
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_user_id constant uuid := (tenancy.caller()).user_id;
    v_tenant public.tenants;
    v_profile public.user_profile;
    v_is_new boolean := false;
begin
    perform tenancy.require_standing(schema_name, platform => null, member => 'read');

    -- Every sign-in comes through here, nearly always to find a profile: no lock for that.
    v_profile := tenancy.find_profile(schema_name, v_user_id);

    if v_profile.id is null then
        perform tenancy.require_user(v_user_id);
        v_tenant := tenancy.lock_tenant(schema_name, platform => null, member => 'read');
        perform tenancy.require_text('display_name', display_name, 200);
        v_is_new := tenancy.insert_profile(schema_name, v_user_id, display_name);
        v_profile := tenancy.find_profile(schema_name, v_user_id);
    end if;

    if v_is_new then
        -- Staff read this log, and they read no rows of tenants: the values stand in the
        -- tenant's own.
        perform tenancy.log_action(
            'profile.create', v_tenant, jsonb_build_object('after', jsonb_build_object('id', v_profile.id))
        );
    end if;

    return row(v_profile.*, v_is_new)::public.ensured_user_profile;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.ensure_user_profile(text, text) is
    'The caller''s profile in a tenant, made if there was none (is_new). Any number of calls at once make one row. display_name counts for a new profile only. Members, for themselves. Errors: invalid_request, tenant_not_found, tenant_suspended, forbidden, not_authenticated, user_not_found, busy.';

create or replace function public.update_user_profile(
    schema_name text,
    display_name text default null,
    metadata jsonb default null
)
    returns public.user_profile
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_user_id constant uuid := (tenancy.caller()).user_id;
    v_tenant public.tenants;
    v_before public.user_profile;
    v_after public.user_profile;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => null, member => 'read');

    perform tenancy.require_text('display_name', display_name, 200);
    perform tenancy.require_metadata(coalesce(metadata, '{}'));
    v_before := tenancy.find_profile(schema_name, v_user_id);
    if v_before.id is null then
        raise exception 'You have no profile in tenant "%" yet.', schema_name
            using errcode = 'PT404', detail = 'profile_not_found',
                hint = 'Call ensure_user_profile first.';
    end if;
    if coalesce(display_name, v_before.display_name) is not distinct from v_before.display_name
        and coalesce(metadata, v_before.metadata) = v_before.metadata
    then
        return v_before;
    end if;

    perform tenancy.update_profile(schema_name, v_user_id, display_name, metadata);
    v_after := tenancy.find_profile(schema_name, v_user_id);

    -- Staff read this log, and they read no rows of tenants: the values stand in the
    -- tenant's own.
    perform tenancy.log_action(
        'profile.update', v_tenant,
        jsonb_build_object(
            'after', jsonb_build_object('id', v_after.id),
            'changed', (
                select jsonb_agg(a.key order by a.key)
                from jsonb_each(to_jsonb(v_after)) a
                where a.value <> to_jsonb(v_before) -> a.key
            )
        )
    );

    return v_after;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.update_user_profile(text, text, jsonb) is
    'Changes the caller''s own profile; what is null stays as it is, metadata is replaced whole. Members. Errors: invalid_request, tenant_not_found, profile_not_found, tenant_suspended, forbidden, not_authenticated, busy.';

comment on column tenancy.unfinished_migrations.message is
    'The error without what may quote the tenant''s rows.';
