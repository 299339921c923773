-- Reads pg_depend and the indexes on the tables' oids, so that the cost depends on one schema
-- and not on the number of schemas. Oids, positions of columns and privileges are left out,
-- because they may differ between two equal schemas.
create function tenancy.schema_objects(schema_name text, without_tables text[] default '{}')
    returns setof tenancy.schema_object
    stable
    security invoker
    set search_path = ''
    -- The texts are stored, and compared in other sessions.
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set extra_float_digits = 1
    set bytea_output = 'hex'
    set lc_monetary = 'C'
    set quote_all_identifiers = off
    -- Each step reads few rows by index. If the planner expects many, it reads the whole catalog.
    set enable_hashjoin = off
    set enable_mergejoin = off
    set jit = off
    -- Planning takes longer than reading. So this is plpgsql, which keeps the plan, and the plan
    -- is generic from the first call on instead of from the sixth.
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
            -- The prefix x_ is reserved for tenants: see require_own_column.
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
                -- The text of pg_get_triggerdef, which would itself read the audit routines of all
                -- tenants, because it looks up every function of the same name.
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
            -- The source lists the table's columns in their order, with those of the tenant.
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
    'All objects of a schema, except some tables, each with its definition as text. Equal objects in two schemas have equal texts, except for the schema''s name.';
