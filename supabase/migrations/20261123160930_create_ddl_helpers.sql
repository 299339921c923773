create function tenancy.require_identifier(name text, kind text)
    returns void
    immutable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    if name is null or name !~ '^[a-z][a-z0-9_]{0,62}$' then
        raise exception 'A % name has 1 to 63 characters: lower-case letters a-z, digits and underscores, a letter first.', kind
            using errcode = 'PT400', detail = 'invalid_identifier',
                hint = 'Choose another name.';
    end if;
end;
$$;

comment on function tenancy.require_identifier(text, text) is
    'Refuses names that a table, column or constraint cannot have (PT400 invalid_identifier).';

create function tenancy.require_table_name(table_name text)
    returns void
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_identifier(table_name, 'table');

    -- A table is a type too. In a tenant migration the tenant's schema comes first in the
    -- search path, and a table named "citext" would be taken for the extension's type.
    if exists (
        select from pg_catalog.pg_type t
        where t.typname = table_name
            and t.typnamespace in (
                'pg_catalog'::regnamespace,
                'public'::regnamespace,
                to_regnamespace('extensions')
            )
    ) then
        raise exception 'A table cannot be named "%": that is the name of a type.', table_name
            using errcode = 'PT400', detail = 'invalid_identifier',
                hint = 'Choose another name, for example the plural.';
    end if;
end;
$$;

comment on function tenancy.require_table_name(text) is
    'Refuses names that a tenant''s table cannot have (PT400 invalid_identifier).';

create function tenancy.require_column_name(column_name text)
    returns void
    immutable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_identifier(column_name, 'column');

    if column_name in ('cmax', 'cmin', 'ctid', 'tableoid', 'xmax', 'xmin') then
        raise exception 'A column cannot be named "%": every table has a system column of that name.', column_name
            using errcode = 'PT400', detail = 'invalid_identifier',
                hint = 'Choose another name.';
    end if;
end;
$$;

comment on function tenancy.require_column_name(text) is
    'Refuses names that a column cannot have (PT400 invalid_identifier).';

create function tenancy.require_column(schema_name text, table_name text, column_name text)
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
        raise exception 'Table "%" has no column %.', table_name, coalesce(format('"%s"', left(column_name, 80)), 'without a name')
            using errcode = 'PT404', detail = 'column_not_found',
                hint = 'See its columns with get_table_columns.';
    end if;

    return v_number;
end;
$$;

comment on function tenancy.require_column(text, text, text) is
    'The number of a column of a tenant''s table (PT404: table_not_found, column_not_found).';

create function tenancy.is_relation(schema_name text, relation_name text)
    returns boolean
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- Indexes, sequences and views share the tables' names; types do too.
    return exists (
        select from pg_catalog.pg_class c
        where c.relname = relation_name and c.relnamespace = to_regnamespace(quote_ident(schema_name))
    ) or exists (
        select from pg_catalog.pg_type t
        where t.typname = relation_name and t.typnamespace = to_regnamespace(quote_ident(schema_name))
    );
end;
$$;

comment on function tenancy.is_relation(text, text) is 'Whether a name is taken in a tenant''s schema.';

create function tenancy.require_own_table(table_name text)
    returns void
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    if tenancy.is_template_table(table_name) then
        raise exception 'Table "%" is part of every tenant and stays as it is.', table_name
            using errcode = 'PT409', detail = 'protected_table',
                hint = 'Make a table of your own, or add a column named x_… to "users" or "settings".';
    end if;
end;
$$;

comment on function tenancy.require_own_table(text) is
    'Refuses changes of the tables that the template brings (PT409 protected_table).';

create function tenancy.require_own_column(table_name text, column_name text)
    returns void
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- The prefix is the promise that no later template column is called so.
    if table_name = 'audit_log'
        or (tenancy.is_template_table(table_name) and coalesce(column_name, '') not like 'x\_%')
    then
        raise exception 'Column "%" of table "%" is not the tenant''s to add or drop.', left(column_name, 80), table_name
            using errcode = 'PT409', detail = 'protected_table',
                hint = 'Columns of your own in "users" and "settings" are named x_…; "audit_log" takes none.';
    end if;
end;
$$;

comment on function tenancy.require_own_column(text, text) is
    'Refuses columns that would clash with the template (PT409 protected_table).';

-- The shape of create_table's argument, for those who call the RPC itself.
create function tenancy.require_column_objects(columns jsonb)
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
        v_problem := 'columns is not an array.';
    elsif jsonb_array_length(columns) > 1000 then
        v_problem := 'A table has at most 1,000 columns.';
    else
        select case
            when jsonb_typeof(c.value) <> 'object'
                then format('Column %s is not an object.', c.place)
            when u.key is not null
                then format('Column %s has an unknown key %s.', c.place, left(to_json(u.key)::text, 80))
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

create function tenancy.require_table_room(schema_name text)
    returns void
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_limit constant integer := (select s.max_tables from tenancy.platform_settings s);
begin
    if cardinality(tenancy.tables_of(schema_name)) >= v_limit then
        raise exception 'Tenant "%" has % tables, which is the limit.', schema_name, v_limit
            using errcode = 'PT409', detail = 'table_limit',
                hint = 'Drop a table that is no longer needed, or ask the platform for more.';
    end if;
end;
$$;

comment on function tenancy.require_table_room(text) is
    'Refuses another table once a tenant has as many as the platform allows (PT409 table_limit).';

create function tenancy.require_foreign_key_action(action text)
    returns text
    immutable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_action constant text := upper(btrim(action, ' '));
begin
    if v_action is null
        or v_action not in ('NO ACTION', 'RESTRICT', 'CASCADE', 'SET NULL', 'SET DEFAULT')
    then
        raise exception 'This is not an action of a foreign key: %.', coalesce(quote_literal(left(action, 80)), 'null')
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Use NO ACTION, RESTRICT, CASCADE, SET NULL or SET DEFAULT.';
    end if;

    return v_action;
end;
$$;

comment on function tenancy.require_foreign_key_action(text) is
    'One of the five actions of a foreign key, in capitals (PT422 invalid_request).';

create function tenancy.require_foreign_key_target(foreign_table text, foreign_column text)
    returns void
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    if tenancy.is_template_table(foreign_table)
        and (foreign_table, foreign_column) not in (('users', 'id'), ('settings', 'key'))
    then
        raise exception 'A foreign key cannot point at "%" of table "%", which is part of every tenant.',
            foreign_column, foreign_table
            using errcode = 'PT409', detail = 'protected_table',
                hint = 'Of those tables, only users(id) and settings(key) can be pointed at: the others may change with the template.';
    end if;
end;
$$;

comment on function tenancy.require_foreign_key_target(text, text) is
    'Refuses foreign keys that would stand in the way of later tenant migrations (PT409 protected_table).';

create function tenancy.require_foreign_key(schema_name text, table_name text, constraint_name text)
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
            coalesce(format('"%s"', left(constraint_name, 80)), 'without a name')
            using errcode = 'PT404', detail = 'constraint_not_found',
                hint = 'See its foreign keys with get_table_foreign_keys.';
    end if;

    return v_foreign_key;
end;
$$;

comment on function tenancy.require_foreign_key(text, text, text) is
    'A foreign key of a tenant''s table by its name (PT404: table_not_found, constraint_not_found).';

create function tenancy.require_column_droppable(schema_name text, table_name text, column_name text)
    returns void
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_table constant oid := tenancy.require_table(schema_name, table_name);
    v_number constant smallint := tenancy.require_column(schema_name, table_name, column_name);
    v_dependents text;
begin
    -- PostgreSQL drops a column's own constraints along without a word. Only a unique
    -- constraint on that column alone is nothing but a property of it.
    select string_agg(format('%s of table "%s"', quote_ident(k.conname), c.relname), ', ' order by k.conname)
    into v_dependents
    from pg_catalog.pg_constraint k
    join pg_catalog.pg_class c on c.oid = k.conrelid
    where (
            k.conrelid = v_table
            and v_number = any (k.conkey)
            and (k.contype in ('p', 'f', 'c', 'x') or (k.contype = 'u' and cardinality(k.conkey) > 1))
        )
        or (k.confrelid = v_table and v_number = any (k.confkey));

    if v_dependents is not null then
        raise exception 'Others depend on column "%" of table "%": %.', column_name, table_name, v_dependents
            using errcode = 'PT409', detail = 'has_dependents',
                hint = 'Drop those first, for example with drop_foreign_key. A primary key stays as long as its table.';
    end if;
end;
$$;

comment on function tenancy.require_column_droppable(text, text, text) is
    'Refuses to drop a column of a key or one that others point at (PT404: table_not_found, column_not_found; PT409 has_dependents).';

create function tenancy.column_type(type_text text)
    returns text
    immutable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    -- The caller's text is only taken apart here. What comes out is put together by the
    -- catalog from an oid and a number, so nothing of the text itself can reach a statement.
    v_parts constant text[] := regexp_match(
        lower(regexp_replace(btrim(type_text, ' '), ' +', ' ', 'g')),
        '^([a-z][a-z0-9 ]*?) ?(?:\( ?([0-9]{1,9}) ?(?:, ?(-?[0-9]{1,9}) ?)?\))? ?((?:with|without) time zone)? ?(\[\])?$'
    );
    v_first constant bigint := v_parts[2];
    v_second constant bigint := v_parts[3];
    v_spelling text := v_parts[1];
    v_zone constant text := v_parts[4];
    v_type oid;
    v_modifier bigint := -1;
    v_fits boolean := true;
begin
    if v_spelling in ('time', 'timestamp') and v_zone is not null then
        v_spelling := v_spelling || ' ' || v_zone;
    elsif v_zone is not null then
        v_spelling := null;
    end if;

    v_type := case
        when v_spelling = 'text' then 'text'::regtype
        when v_spelling in ('varchar', 'character varying') then 'varchar'::regtype
        when v_spelling in ('char', 'character') then 'bpchar'::regtype
        when v_spelling in ('smallint', 'int2') then 'int2'::regtype
        when v_spelling in ('integer', 'int', 'int4') then 'int4'::regtype
        when v_spelling in ('bigint', 'int8') then 'int8'::regtype
        when v_spelling in ('numeric', 'decimal') then 'numeric'::regtype
        when v_spelling in ('real', 'float4') then 'float4'::regtype
        when v_spelling in ('double precision', 'float8', 'float') then 'float8'::regtype
        when v_spelling in ('boolean', 'bool') then 'bool'::regtype
        when v_spelling = 'date' then 'date'::regtype
        when v_spelling in ('time', 'time without time zone') then 'time'::regtype
        when v_spelling in ('timestamp', 'timestamp without time zone') then 'timestamp'::regtype
        when v_spelling in ('timestamptz', 'timestamp with time zone') then 'timestamptz'::regtype
        when v_spelling in (
            'interval', 'uuid', 'json', 'jsonb', 'bytea', 'inet', 'cidr', 'macaddr'
        ) then v_spelling::regtype
    end;

    -- How each type packs its modifier into the catalog's typmod.
    if v_type in ('varchar'::regtype, 'bpchar'::regtype) then
        -- A bare char is char(1), as everywhere in SQL.
        v_modifier := 4 + coalesce(v_first, case when v_type = 'bpchar'::regtype then 1 else -5 end);
        v_fits := v_second is null and coalesce(v_first between 1 and 10485760, true);
    elsif v_type = 'numeric'::regtype then
        v_modifier := coalesce(4 + ((v_first << 16) | (coalesce(v_second, 0) & 2047)), -1);
        v_fits := coalesce(
            v_first between 1 and 1000 and coalesce(v_second, 0) between -1000 and 1000, true
        );
    elsif v_type in ('time'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype, 'interval'::regtype) then
        v_modifier := coalesce(v_first, -1);
        if v_type = 'interval'::regtype and v_first is not null then
            v_modifier := (32767 << 16) | v_first;
        end if;
        v_fits := v_second is null and coalesce(v_first between 0 and 6, true);
    else
        v_fits := v_first is null;
    end if;

    if v_type is null or not v_fits then
        raise exception 'This is not a column type one can use: %.', coalesce(quote_literal(left(type_text, 80)), 'null')
            using errcode = 'PT400', detail = 'invalid_column_type',
                hint = 'Use text, varchar(n), char(n), smallint, integer, bigint, numeric(p,s), real, double precision, boolean, date, time, timestamp, timestamptz, interval, uuid, json, jsonb, bytea, inet, cidr or macaddr, or an array of one, such as text[].';
    end if;

    if v_parts[5] is not null then
        v_type := (select t.typarray from pg_catalog.pg_type t where t.oid = v_type);
    end if;
    return format_type(v_type, v_modifier::integer);
end;
$$;

comment on function tenancy.column_type(text) is
    'A column type from the allow-list, in the spellings people use, as the catalog spells it (PT400 invalid_column_type).';

create function tenancy.column_default(column_type text, literal jsonb, expression text)
    returns text
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_is_array constant boolean := column_type like '%[]';
    v_is_json constant boolean := column_type in ('json', 'jsonb');
    v_expression text;
    v_text text;
    v_fits boolean;
begin
    -- A JSON null is no default.
    if literal is null or literal = 'null' then
        if expression is null then
            return null;
        end if;
        v_expression := lower(btrim(expression, ' '));
        if v_expression in ('now()', 'gen_random_uuid()', 'auth.uid()', 'current_date') then
            return v_expression;
        end if;
        raise exception 'This is not a default expression one can use: %.', quote_literal(left(expression, 80))
            using errcode = 'PT400', detail = 'invalid_default',
                hint = 'Use now(), gen_random_uuid(), auth.uid() or current_date, or a literal as the default.';
    end if;

    if expression is not null then
        raise exception 'A column has a literal default or a default expression, not both.'
            using errcode = 'PT400', detail = 'invalid_default', hint = 'Leave one of them out.';
    end if;

    begin
        if v_is_json then
            v_text := literal::text;
        elsif v_is_array then
            -- Raises for anything but an array; a nested one fails in the cast below.
            v_text := array(
                select e.value #>> '{}' from jsonb_array_elements(literal) with ordinality e (value, place)
                order by e.place
            )::text;
        elsif jsonb_typeof(literal) in ('object', 'array') then
            raise invalid_text_representation;
        else
            v_text := literal #>> '{}';
        end if;

        -- What the type made of it is what is stored: 'now' becomes the time it meant today.
        -- A cast to varchar(3) cuts silently; one to varchar does not.
        execute format(
            'select (%1$L::%2$s)::text, (%1$L::%2$s)::text = (%1$L::%3$s)::text',
            v_text,
            column_type,
            case
                when column_type like 'character%'
                    then regexp_replace(replace(column_type, 'character(', 'bpchar('), '\(\d+\)', '')
                else column_type
            end
        )
        into v_text, v_fits;
    exception
        when data_exception or integrity_constraint_violation or program_limit_exceeded then
            v_fits := false;
    end;

    if not v_fits then
        raise exception 'The default % does not fit the type %.', left(literal::text, 80), column_type
            using errcode = 'PT400', detail = 'invalid_default',
                hint = 'Give a JSON value of that type, for example 0, "text", true or ["a", "b"].';
    end if;

    return format('%L::%s', v_text, column_type);
end;
$$;

comment on function tenancy.column_default(text, jsonb, text) is
    'A column''s default as SQL, from a JSON literal or one of the allowed expressions; null for none (PT400 invalid_default). column_type is what tenancy.column_type returned.';

create function tenancy.column_definition(
    column_name text,
    column_type text,
    is_nullable boolean,
    literal jsonb,
    expression text,
    is_unique boolean default false
)
    returns text
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_type text;
    v_default text;
begin
    perform tenancy.require_column_name(column_name);
    v_type := tenancy.column_type(column_type);
    v_default := tenancy.column_default(v_type, literal, expression);

    return format('%I %s', column_name, v_type)
        || case when is_nullable then '' else ' not null' end
        || coalesce(' default ' || v_default, '')
        || case when is_unique then ' unique' else '' end;
end;
$$;

comment on function tenancy.column_definition(text, text, boolean, jsonb, text, boolean) is
    'A column as it stands in CREATE TABLE (PT400: invalid_identifier, invalid_column_type, invalid_default).';

-- A statement that waits for a table makes every later reader wait behind it. So nobody
-- waits long: short attempts, with the line behind them let through in between.
create function tenancy.lock_tables(schema_name text, table_names text[], mode text default 'access exclusive')
    returns void
    volatile
    security definer
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
declare
    v_give_up constant timestamptz := clock_timestamp() + interval '2 seconds';
    -- In one order, so that two who lock the same tables do not deadlock.
    v_tables constant text := (
        select string_agg(format('%I.%I', schema_name, t.name), ', ' order by t.name collate "C")
        from (select distinct unnest(table_names)) t (name)
    );
begin
    loop
        begin
            execute format('lock table %s in %s mode', v_tables, mode);
            return;
        exception
            when lock_not_available then
                if clock_timestamp() >= v_give_up then
                    raise;
                end if;
        end;
        perform pg_sleep(0.02 + random() * 0.03);
    end loop;
end;
$$;

comment on function tenancy.lock_tables(text, text[], text) is
    'Locks tables of a tenant until the transaction ends, in attempts of at most 100 ms for 2 s (then 55P03), so that readers never queue up for long.';

create function tenancy.referenced_tables(relation oid)
    returns text[]
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return array(
        select distinct c.relname::text
        from pg_catalog.pg_constraint k
        join pg_catalog.pg_class c on c.oid = k.confrelid
        where k.conrelid = relation and k.contype = 'f'
    );
end;
$$;

comment on function tenancy.referenced_tables(oid) is
    'The tables a table''s foreign keys point at: dropping the keys locks them too.';

create function tenancy.reload_schema_cache()
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- The empty payload: it does not merge with what an event trigger may have sent.
    perform pg_notify('pgrst', '');
end;
$$;

comment on function tenancy.reload_schema_cache() is
    'Makes PostgREST look at the tables again once the transaction commits.';

create function tenancy.create_table(schema_name text, table_name text, columns jsonb, description text)
    returns oid
    volatile
    security definer
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
declare
    v_definitions text[];
    v_key text[];
    v_duplicate text;
begin
    select
        array_agg(
            tenancy.column_definition(
                c.value ->> 'name',
                c.value ->> 'type',
                coalesce((c.value ->> 'nullable')::boolean, true),
                c.value -> 'default',
                c.value ->> 'default_expression',
                coalesce((c.value ->> 'unique')::boolean, false)
            )
            order by c.place
        ),
        array_agg(c.value ->> 'name' order by c.place) filter (where (c.value ->> 'primary_key')::boolean)
    into v_definitions, v_key
    from jsonb_array_elements(columns) with ordinality c (value, place);

    select c.value ->> 'name' into v_duplicate
    from jsonb_array_elements(columns) c (value)
    group by c.value ->> 'name'
    having count(*) > 1
    limit 1;
    if v_duplicate is not null then
        raise exception 'There are two columns named "%".', v_duplicate
            using errcode = 'PT409', detail = 'column_exists', hint = 'Give each column its own name.';
    end if;

    -- Every row needs a name of its own: the audit trail and the Data API go by it. A column
    -- called id is taken for it; without one there will be one.
    if v_key is null then
        v_key := array['id'];
        if not exists (select from jsonb_array_elements(columns) c (value) where c.value ->> 'name' = 'id') then
            v_definitions := array_prepend('id uuid not null default gen_random_uuid()', v_definitions);
        end if;
    end if;

    begin
        execute format(
            'create table %I.%I (%s, primary key (%s))',
            schema_name, table_name,
            array_to_string(v_definitions, ', '),
            (select string_agg(quote_ident(k.name), ', ' order by k.place) from unnest(v_key) with ordinality k (name, place))
        );
    exception
        when datatype_mismatch then
            raise exception 'A default expression does not fit the type of its column.'
                using errcode = 'PT400', detail = 'invalid_default',
                    hint = 'now() and current_date fit dates and times, gen_random_uuid() and auth.uid() fit uuid.';
        when undefined_object then
            raise exception 'A key or unique column has a type that cannot be compared, such as json.'
                using errcode = 'PT400', detail = 'invalid_column_type',
                    hint = 'Use jsonb, or another column for the key.';
        when program_limit_exceeded then
            raise exception 'The table is too wide: %.', sqlerrm
                using errcode = 'PT422', detail = 'invalid_request', hint = 'Use fewer columns.';
    end;

    if description is not null then
        execute format('comment on table %I.%I is %L', schema_name, table_name, description);
    end if;
    perform tenancy.adopt_table(schema_name, table_name);
    perform tenancy.apply_tenant_privileges(schema_name);
    perform tenancy.reload_schema_cache();

    return tenancy.find_table(schema_name, table_name);
end;
$$;

comment on function tenancy.create_table(text, text, jsonb, text) is
    'Makes a table of a tenant a full citizen: primary key, policies, audit, privileges. Only under lock_tenant, with columns that require_column_objects has passed (PT400: invalid_identifier, invalid_column_type, invalid_default; PT409 column_exists).';

create function tenancy.drop_table(schema_name text, table_name text)
    returns void
    volatile
    security definer
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
declare
    v_detail text;
begin
    perform tenancy.lock_tables(
        schema_name,
        table_name || tenancy.referenced_tables(tenancy.require_table(schema_name, table_name))
    );

    begin
        execute format('drop table %I.%I restrict', schema_name, table_name);
    exception
        when dependent_objects_still_exist then
            get stacked diagnostics v_detail = pg_exception_detail;
            raise exception 'Others depend on table "%": %.', table_name, replace(v_detail, E'\n', '; ')
                using errcode = 'PT409', detail = 'has_dependents',
                    hint = 'Drop those first, for example with drop_foreign_key.';
    end;
    execute format('drop function if exists %I.%I()', schema_name, tenancy.audit_routine_name(table_name));
    perform tenancy.reload_schema_cache();
end;
$$;

comment on function tenancy.drop_table(text, text) is
    'Drops a table of a tenant on which nothing depends. Only under lock_tenant (PT404 table_not_found, PT409 has_dependents, 55P03).';

create function tenancy.add_column(
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

    execute format('alter table %I.%I add column %s', schema_name, table_name, v_definition);
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
    'Adds a column to a table of a tenant. Only under lock_tenant (PT400: invalid_identifier, invalid_column_type, invalid_default; PT409: column_exists, table_not_empty; 55P03).';

create function tenancy.drop_column(schema_name text, table_name text, column_name text)
    returns void
    volatile
    security definer
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
declare
    v_detail text;
begin
    perform tenancy.lock_tables(schema_name, array[table_name]);
    perform tenancy.require_column_droppable(schema_name, table_name, column_name);

    begin
        execute format('alter table %I.%I drop column %I restrict', schema_name, table_name, column_name);
    exception
        when dependent_objects_still_exist then
            get stacked diagnostics v_detail = pg_exception_detail;
            raise exception 'Others depend on column "%" of table "%": %.',
                column_name, table_name, replace(v_detail, E'\n', '; ')
                using errcode = 'PT409', detail = 'has_dependents', hint = 'Drop those first.';
    end;
    perform tenancy.audit_table(schema_name, table_name);
    perform tenancy.reload_schema_cache();
end;
$$;

comment on function tenancy.drop_column(text, text, text) is
    'Drops a column of a tenant''s table on which nothing depends. Only under lock_tenant (errors of require_column_droppable; 55P03).';

create function tenancy.add_foreign_key(
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
    when undefined_object then
        raise exception 'A column of type json cannot be part of a foreign key.'
            using errcode = 'PT400', detail = 'invalid_column_type', hint = 'Use another column.';
end;
$$;

comment on function tenancy.add_foreign_key(text, text, text, text, text, text, text) is
    'Adds a foreign key between two tables of one tenant, indexed and validated; its name. Writers of both tables wait until the transaction ends, readers do not. Only under lock_tenant (PT400 invalid_column_type; PT404: table_not_found, column_not_found; PT409: foreign_key_violation, foreign_key_target; 55P03).';

create function tenancy.drop_foreign_key(schema_name text, table_name text, constraint_name text)
    returns void
    volatile
    security definer
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
begin
    -- Dropping a foreign key locks both its ends.
    perform tenancy.lock_tables(
        schema_name,
        table_name || tenancy.referenced_tables(tenancy.require_table(schema_name, table_name))
    );

    execute format('alter table %I.%I drop constraint %I restrict', schema_name, table_name, constraint_name);
    perform tenancy.reload_schema_cache();
end;
$$;

comment on function tenancy.drop_foreign_key(text, text, text) is
    'Drops a foreign key of a tenant''s table; its index stays. Only under lock_tenant (55P03).';
