-- What these statements leave out is a difference, for which compile_creation looks.
create function tenancy.creation_statements(schema_name text)
    returns text
    stable
    security invoker
    set search_path = ''
    -- The texts run in other sessions.
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set extra_float_digits = 1
    set bytea_output = 'hex'
    set lc_monetary = 'C'
    set quote_all_identifiers = off
    set jit = off
    language sql
as $$
    with relations as materialized (
        select c.*
        from pg_catalog.pg_class c
        where c.relnamespace = to_regnamespace(quote_ident(schema_name))
    ),
    tables as materialized (
        select r.* from relations r where r.relkind = 'r'
    ),
    routines as materialized (
        select p.* from pg_catalog.pg_proc p where p.pronamespace = to_regnamespace(quote_ident(schema_name))
    ),
    statements as (
        select 1 as step, 0 as place, '' as name, format('create schema %I;', schema_name) as statement
        union all
        select 2, o.place, coalesce(c.relname, t.typname, p.proname), case
            when c.relkind = 'r' then tenancy.table_statement(c.oid)
            when c.relkind = 'v' then format(
                'create view %s%s as %s',
                c.oid::regclass, tenancy.relation_options(c.reloptions), pg_get_viewdef(c.oid)
            )
            when c.relkind = 'S' then (
                select format(
                    'create sequence %s as %s start with %s increment by %s minvalue %s maxvalue %s cache %s %s;',
                    c.oid::regclass, format_type(s.seqtypid, null), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache,
                    case when s.seqcycle then 'cycle' else 'no cycle' end
                )
                from pg_catalog.pg_sequence s
                where s.seqrelid = c.oid
            )
            when t.oid is not null then tenancy.type_statement(t.oid)
            else tenancy.routine_statements(p.oid)
        end
        from tenancy.creation_order(schema_name) o
        left join pg_catalog.pg_class c on o.catalog = 'pg_class'::regclass and c.oid = o.object
        left join pg_catalog.pg_type t on o.catalog = 'pg_type'::regclass and t.oid = o.object
        left join routines p on o.catalog = 'pg_proc'::regclass and p.oid = o.object
        union all
        select 3, 0, r.relname, format(
            'alter sequence %s owned by %s.%I;', r.oid::regclass, d.refobjid::regclass, a.attname
        )
        from relations r
        join pg_catalog.pg_depend d on d.classid = 'pg_class'::regclass and d.objid = r.oid and d.deptype = 'a'
        join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
        where r.relkind = 'S' and d.refclassid = 'pg_class'::regclass
        union all
        select 4, 0, i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) || ';'
        from tables t
        join pg_catalog.pg_index i on i.indrelid = t.oid
        where not exists (select from pg_catalog.pg_constraint k where k.conindid = i.indexrelid and k.conrelid = t.oid)
        union all
        -- After the indexes, which a foreign key and the identity of a replica may need.
        select 5, 0, t.relname, (
            select format('alter table %s %s;', t.oid::regclass, string_agg(c.change, ', ' order by c.step, c.change))
            from (
                select 1 as step, 'enable row level security' as change where t.relrowsecurity
                union all
                select 1, 'force row level security' where t.relforcerowsecurity
                union all
                select 1, case t.relreplident
                    when 'f' then 'replica identity full'
                    when 'n' then 'replica identity nothing'
                    when 'i' then 'replica identity using index ' || quote_ident(x.relname)
                end
                from (select) only_row
                left join pg_catalog.pg_index i on i.indrelid = t.oid and i.indisreplident
                left join pg_catalog.pg_class x on x.oid = i.indexrelid
                where t.relreplident <> 'd'
                union all
                select 1, format('cluster on %I', x.relname)
                from pg_catalog.pg_index i
                join pg_catalog.pg_class x on x.oid = i.indexrelid
                where i.indrelid = t.oid and i.indisclustered
                union all
                select 2, format('alter column %I %s', a.attname, s.change)
                from pg_catalog.pg_attribute a
                join pg_catalog.pg_type y on y.oid = a.atttypid
                cross join lateral (
                    values
                    ('set statistics ' || nullif(a.attstattarget, -1)),
                    (case when a.attstorage <> y.typstorage then 'set storage ' || case a.attstorage
                        when 'p' then 'plain' when 'e' then 'external' when 'm' then 'main' else 'extended'
                    end end),
                    ('set compression ' || case a.attcompression when 'p' then 'pglz' when 'l' then 'lz4' end),
                    ('set (' || array_to_string(a.attoptions, ', ') || ')')
                ) s (change)
                where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped and s.change is not null
                union all
                select 3, format('add constraint %I %s', k.conname, pg_get_constraintdef(k.oid))
                from pg_catalog.pg_constraint k
                where k.conrelid = t.oid and (k.contype = 'f' or not k.convalidated)
            ) c
        )
        from tables t
        union all
        select 6, 0, s.stxname, pg_get_statisticsobjdef(s.oid) || ';'
        from pg_catalog.pg_statistic_ext s
        where s.stxnamespace = to_regnamespace(quote_ident(schema_name))
        union all
        select 7, 0, format('%s %s', t.relname, p.polname), concat_ws(
            ' ',
            format(
                'create policy %I on %s as %s for %s to %s',
                p.polname, t.oid::regclass,
                case when p.polpermissive then 'permissive' else 'restrictive' end,
                case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
                (
                    select string_agg(case o.role when 0 then 'public' else o.role::regrole::text end, ', ' order by o.place)
                    from unnest(p.polroles) with ordinality o (role, place)
                )
            ),
            'using (' || pg_get_expr(p.polqual, p.polrelid) || ')',
            'with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'
        ) || ';'
        from tables t
        join pg_catalog.pg_policy p on p.polrelid = t.oid
        union all
        select 8, 0, p.oid::regprocedure::text, tenancy.routine_statements(p.oid)
        from routines p
        where p.prorettype = 'trigger'::regtype
        union all
        -- Triggers that call a function outside the schema.
        select 9, 0, format('%s %s', r.relname, g.tgname), pg_get_triggerdef(g.oid) || ';'
        from relations r
        join pg_catalog.pg_trigger g on g.tgrelid = r.oid
        where not g.tgisinternal and g.tgfoid not in (select p.oid from routines p)
        union all
        select 10, 0, format('%s %s', r.relname, g.tgname), format(
            'alter table %s %s trigger %I;',
            r.oid::regclass, case g.tgenabled when 'D' then 'disable' when 'A' then 'enable always' else 'enable replica' end, g.tgname
        )
        from relations r
        join pg_catalog.pg_trigger g on g.tgrelid = r.oid
        where not g.tgisinternal and g.tgenabled <> 'O'
        union all
        select 11, 0, i.identity, format(
            'comment on %s %s is %L;',
            case
                when i.type ~ ' column$' then 'column'
                when i.type = 'table constraint' then 'constraint'
                when i.type = 'statistics object' then 'statistics'
                else i.type
            end,
            i.identity, d.description
        )
        from (
            select 'pg_class'::regclass::oid as catalog, r.oid from relations r
            union all
            select 'pg_namespace'::regclass, to_regnamespace(quote_ident(schema_name))
            union all
            select 'pg_type'::regclass, y.oid
            from pg_catalog.pg_type y
            where y.typnamespace = to_regnamespace(quote_ident(schema_name))
            union all
            select 'pg_constraint'::regclass, k.oid
            from relations r
            join pg_catalog.pg_constraint k on k.conrelid = r.oid
            union all
            select 'pg_trigger'::regclass, g.oid
            from relations r
            join pg_catalog.pg_trigger g on g.tgrelid = r.oid
            union all
            select 'pg_policy'::regclass, p.oid
            from relations r
            join pg_catalog.pg_policy p on p.polrelid = r.oid
        ) o (catalog, oid)
        join pg_catalog.pg_description d on d.classoid = o.catalog and d.objoid = o.oid
        cross join lateral pg_identify_object(d.classoid, d.objoid, d.objsubid) i
        union all
        -- Only where the project's default privileges open new tables: find_creation_script compares
        -- them with those of the compilation.
        select 12, 0, k.kind, format(
            'revoke all on %s %s from public, anon, authenticated, service_role;',
            k.kind, string_agg(r.oid::regclass::text, ', ' order by r.relname)
        )
        from relations r
        cross join lateral (select case r.relkind when 'S' then 'sequence' else 'table' end as kind) k
        where r.relkind in ('r', 'v', 'S')
            and exists (
                select
                from pg_catalog.pg_default_acl d
                cross join aclexplode(d.defaclacl) e
                where d.defaclnamespace = 0
                    and d.defaclobjtype in ('r', 'S')
                    and e.grantee in (0, 'anon'::regrole, 'authenticated'::regrole, 'service_role'::regrole)
            )
        group by k.kind
    )
    select string_agg(s.statement, E'\n' order by s.step, s.place, s.name) from statements s;
$$;

comment on function tenancy.creation_statements(text) is
    'The statements that create a schema as this one is, without a privilege for the API roles.';
