create function tenancy.split_findings(
    relation regclass,
    column_name text,
    schema_name text default 'tenant_template'
)
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_obstacle text := tenancy.sharing_obstacle(relation);
    v_name constant text := (select c.relname::text from pg_catalog.pg_class c where c.oid = split_findings.relation);
    v_target constant oid := tenancy.find_table(schema_name, v_name);
    v_key constant text[] := tenancy.split_key(relation, column_name);
begin
    if v_obstacle is null and row_security_active(relation) then
        v_obstacle := 'its policies hide rows from the owner, too';
    end if;
    if v_obstacle is not null then
        return query
        select 'table', relation::text, format('Its rows cannot be split: %s.', v_obstacle),
            'Give a table of the project that its owner reads whole.', null;
        return;
    end if;
    if not exists (
        select from pg_catalog.pg_attribute a
        where a.attrelid = split_findings.relation and a.attname = column_name and a.attnum > 0 and not a.attisdropped
    ) then
        return query
        select 'column', relation::text, format('It has no column %I.', column_name),
            'Name the column that says to which tenant a row belongs.', null;
        return;
    end if;
    if v_key is null then
        return query
        select 'primary key', relation::text, o.detail, o.remediation, null
        from (
            select 'It has no primary key. Rows could not be told apart.',
                format('alter table %s add column id bigint generated always as identity primary key;', relation)
            where not exists (
                select from pg_catalog.pg_index i where i.indrelid = split_findings.relation and i.indisprimary
            )
            union all
            select format('%I is its whole primary key, so it has at most one row for each tenant.', column_name),
                'A list of the tenants stays shared. Another table needs a key beside this column.'
            where exists (
                select from pg_catalog.pg_index i where i.indrelid = split_findings.relation and i.indisprimary
            )
        ) o (detail, remediation);
        return;
    end if;
    if v_target is null then
        return query
        select 'table', relation::text, format('Schema %I has no table %I.', schema_name, v_name),
            format(
                E'Write a tenant migration that creates it: tenantry new add_%s. For example:\n%s',
                v_name, tenancy.split_table_text(relation, column_name)
            ),
            null;
        return;
    end if;

    return query
    with columns as (
        select a.attname::text as name,
            format_type(a.atttypid, a.atttypmod) as source_type,
            format_type(t.atttypid, t.atttypmod) as target_type,
            a.attname is not null and t.attname is not null and (
                (a.atttypid = t.atttypid and t.atttypmod in (a.atttypmod, -1))
                -- Wider types, in which the values have the same texts.
                or (a.atttypid = 'smallint'::regtype and t.atttypid in ('integer'::regtype, 'bigint'::regtype))
                or (a.atttypid = 'integer'::regtype and t.atttypid = 'bigint'::regtype)
                or (a.atttypid = 'varchar'::regtype and t.atttypid = 'text'::regtype)
                or (
                    select array_agg(e.enumlabel order by e.enumlabel)
                    from pg_catalog.pg_enum e where e.enumtypid = a.atttypid
                ) <@ (
                    select array_agg(e.enumlabel order by e.enumlabel)
                    from pg_catalog.pg_enum e where e.enumtypid = t.atttypid
                )
            ) as has_same_type
        from pg_catalog.pg_attribute a
        left join pg_catalog.pg_attribute t on t.attrelid = v_target and t.attname = a.attname and not t.attisdropped
        where a.attrelid = split_findings.relation and a.attnum > 0 and not a.attisdropped
            and (a.attname <> column_name or t.attname is not null)
    )
    select 'column', format('%s.%I', relation, c.name),
        case
            when c.target_type is null then format('Table %I of schema %I has no such column.', v_name, schema_name)
            else format('Its type is %s, and in schema %I %s.', c.source_type, schema_name, c.target_type)
        end,
        'Change one of the two tables. The tenants'' table is changed by a tenant migration.', null
    from columns c
    where c.has_same_type is not true
    union all
    select 'column', format('%I.%I.%I', schema_name, v_name, t.attname),
        format('%s has no such column, and here it needs a value.', relation),
        'Give it a default by a tenant migration.', null
    from pg_catalog.pg_attribute t
    where t.attrelid = v_target and t.attnum > 0 and not t.attisdropped
        and t.attnotnull and not t.atthasdef and t.attidentity = ''
        and not exists (
            select from pg_catalog.pg_attribute a
            where a.attrelid = split_findings.relation and a.attname = t.attname and not a.attisdropped
        )
    union all
    select 'primary key', format('%I.%I', schema_name, v_name),
        format('No unique key of it has the columns %s, which identify a row within one tenant.', array_to_string(v_key, ', ')),
        'Give it this primary key by a tenant migration.', null
    where not exists (
        select
        from pg_catalog.pg_index i
        where i.indrelid = v_target and i.indisunique and i.indimmediate and i.indisvalid
            and i.indpred is null and i.indexprs is null
            and (
                select array_agg(a.attname::text order by a.attname::text)
                from unnest(i.indkey::smallint[]) with ordinality k (number, place)
                join pg_catalog.pg_attribute a on a.attrelid = v_target and a.attnum = k.number
                where k.place <= i.indnkeyatts and a.attname <> column_name
            ) = (select array_agg(k.name order by k.name) from unnest(v_key) k (name))
    )
    union all
    select 'warning: trigger', format('%I.%I.%I', schema_name, v_name, g.tgname),
        'It runs for every row that is copied. If it changes rows, they are not equal to the source.',
        'If so, --accept-changes accepts them.', null
    from pg_catalog.pg_trigger g
    join pg_catalog.pg_proc p on p.oid = g.tgfoid
    where g.tgrelid = v_target and not g.tgisinternal and g.tgenabled in ('O', 'A')
        and g.tgtype & 4 = 4
        and p.prosrc not like E'\n<<audit>>%'
    union all
    select 'warning: index', format('%s.%I', relation, column_name),
        'No index begins with this column, so the table is read once for each batch.',
        format('create index concurrently on %s (%I);', relation, column_name), null
    where tenancy.row_estimate(relation) > 10000
        and not exists (
            select
            from pg_catalog.pg_index i
            join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
            where i.indrelid = split_findings.relation and a.attname = column_name and i.indpred is null
        );
end;
$$;

comment on function tenancy.split_findings(regclass, text, text) is
    'Why the rows of a table cannot be copied into the table of the same name in a schema, and warnings. The schema is the reference schema, or that of a tenant.';
