-- One place that reads the columns. The source is s, the tenant's table is t.
create function tenancy.split_statements(
    relation regclass,
    column_name text,
    value text,
    schema_name text,
    out target oid,
    out is_of_value text,
    out key_columns text,
    out key_texts text,
    out is_after_key text,
    out is_same_key text,
    out key_hash_of_source text,
    out key_hash_of_target text,
    out row_hash_of_source text,
    out row_hash_of_target text,
    out columns text,
    out source_values text,
    out assignments text,
    out differing_columns text,
    out compared_columns text[]
)
    returns record
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_keys constant text[] := tenancy.split_key(relation, column_name);
begin
    target := tenancy.require_table(
        schema_name, (select c.relname from pg_catalog.pg_class c where c.oid = split_statements.relation)
    );
    -- Values with different texts may be equal: in citext, in a collation without case, in numeric.
    select format('s.%I = %L::%s', column_name, value, format_type(a.atttypid, a.atttypmod))
        || case
            when a.atttypid not in ('uuid'::regtype, 'smallint'::regtype, 'integer'::regtype, 'bigint'::regtype, 'text'::regtype, 'varchar'::regtype)
                or exists (
                    select from pg_catalog.pg_collation o where o.oid = a.attcollation and not o.collisdeterministic
                ) then format(' and s.%I::text = %L collate "C"', column_name, value)
            else ''
        end
    into strict is_of_value
    from pg_catalog.pg_attribute a
    where a.attrelid = split_statements.relation and a.attname = column_name and not a.attisdropped;

    select
        string_agg(format('s.%I', c.name), ', ' order by c.place_in_key) filter (where c.is_key),
        string_agg(format('s.%I::text', c.name), ', ' order by c.place_in_key) filter (where c.is_key),
        string_agg(format('($1[%s])::%s', c.place_in_key, c.type), ', ' order by c.place_in_key) filter (where c.is_key),
        string_agg(format('s.%1$I = t.%1$I', c.name), ' and ' order by c.place_in_key) filter (where c.is_key),
        string_agg(format('t.%I', c.name), ', ' order by c.place_in_key) filter (where c.is_key),
        string_agg(format('s.%I%s', c.name, c.cast_for_hash), ', ' order by c.place),
        string_agg(format('t.%I%s', c.name, c.cast_for_hash), ', ' order by c.place),
        string_agg(quote_ident(c.name), ', ' order by c.place) filter (where not c.is_computed),
        string_agg(c.source_value, ', ' order by c.place) filter (where not c.is_computed),
        string_agg(format('%I = %s', c.name, c.source_value), ', ' order by c.place)
            filter (where not (c.is_computed or c.is_key or c.is_always_identity)),
        string_agg(
            format('case when s.%1$I::text is distinct from t.%1$I::text then %1$L end', c.name), ', ' order by c.place
        ),
        array_agg(c.name order by c.place)
    into key_columns, key_texts, is_after_key, is_same_key, key_hash_of_target, row_hash_of_source, row_hash_of_target,
        columns, source_values, assignments, differing_columns, compared_columns
    from (
        select a.attname::text as name,
            a.attnum as place,
            a.attname = any (v_keys) as is_key,
            array_position(v_keys, a.attname::text) as place_in_key,
            format_type(a.atttypid, a.atttypmod) as type,
            t.attgenerated <> '' as is_computed,
            t.attidentity = 'a' as is_always_identity,
            -- The text of a regclass depends on the search path, which a deletion changes.
            case when format_type(a.atttypid, null) ~ '^reg[a-z]+$' then '::oid' end as cast_for_hash,
            -- A wider type of the template may stand for the one of the project.
            case
                when a.atttypid = t.atttypid then format('s.%I', a.attname)
                else format('s.%I::text::%s', a.attname, format_type(t.atttypid, t.atttypmod))
            end as source_value
        from pg_catalog.pg_attribute a
        join pg_catalog.pg_attribute t on t.attrelid = target and t.attname = a.attname and not t.attisdropped
        where a.attrelid = split_statements.relation and a.attnum > 0 and not a.attisdropped
    ) c;

    is_after_key := format('($1 is null or (%s) > (%s))', key_columns, is_after_key);
    key_hash_of_source := format('sha256(convert_to(row(%s)::text, ''UTF8''))', key_columns);
    key_hash_of_target := format('sha256(convert_to(row(%s)::text, ''UTF8''))', key_hash_of_target);
    row_hash_of_source := format('sha256(convert_to(row(%s)::text, ''UTF8''))', row_hash_of_source);
    row_hash_of_target := format('sha256(convert_to(row(%s)::text, ''UTF8''))', row_hash_of_target);
    differing_columns := format('array_remove(array[%s], null)', differing_columns);
end;
$$;

comment on function tenancy.split_statements(regclass, text, text, text) is
    'The parts of the statements that copy and compare the rows of a table of the project, s, with those of a tenant''s table, t. In is_after_key, $1 is the last key as texts. A hash is of the text of the values, so its caller has to fix the settings that texts depend on (PT404 table_not_found).';
