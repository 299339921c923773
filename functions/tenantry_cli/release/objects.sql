-- What Tenantry has made in this database, read from the catalog of PostgreSQL: a row for each part
-- of each object. `tenantry generate` writes these rows into objects.json, and the doctor compares
-- the rows of a database with that file. So this query calls no function of Tenantry.
--
-- $1: the names in public. Everything in tenancy is Tenantry's. Objects are found by name or by
-- dependency, and never by reading a whole catalog: the cost does not grow with the tenants.
with objects as (
    select d.classid, d.objid
    from pg_catalog.pg_depend d
    where d.refclassid = 'pg_catalog.pg_namespace'::regclass
        and d.refobjid = to_regnamespace('tenancy')
        -- check_default_privileges judges these.
        and d.classid <> 'pg_catalog.pg_default_acl'::regclass
        -- install_guard makes this function if the project has a pre-request function, and
        -- check_guard judges it.
        and not (
            d.classid = 'pg_catalog.pg_proc'::regclass
            and d.objid = coalesce(to_regprocedure('tenancy.pre_request()'), 0)
        )
        -- The extension itself is enough.
        and not exists (
            select
            from pg_catalog.pg_depend e
            where e.classid = d.classid and e.objid = d.objid and e.deptype = 'e'
        )
    union
    select n.tableoid, n.oid
    from pg_catalog.pg_namespace n
    where n.nspname in ('tenancy', 'tenant_template')
    union
    select c.tableoid, c.oid
    from pg_catalog.pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relname = any ($1::name[])
        and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
    union
    select p.tableoid, p.oid
    from pg_catalog.pg_proc p
    where p.pronamespace = 'public'::regnamespace and p.proname = any ($1::name[])
    union
    select t.tableoid, t.oid
    from pg_catalog.pg_type t
    left join pg_catalog.pg_class c on c.oid = t.typrelid
    where t.typnamespace = 'public'::regnamespace and t.typname = any ($1::name[])
        and coalesce(c.relkind, 'c') = 'c'
        -- No array type.
        and t.typelem = 0
),

relations as (
    select c.oid, c.relowner, c.relacl, c.relkind, c.relpersistence, c.relrowsecurity,
        c.relforcerowsecurity, c.reloptions,
        format(
            '%s %s',
            case c.relkind
                when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table'
                when 'S' then 'sequence' else 'table'
            end,
            c.oid::regclass
        ) as object
    from objects o
    inner join pg_catalog.pg_class c on c.oid = o.objid and c.tableoid = o.classid
),

routines as (
    select p.*,
        format(
            '%s %s',
            case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end,
            p.oid::regprocedure
        ) as object
    from objects o
    inner join pg_catalog.pg_proc p on p.oid = o.objid and p.tableoid = o.classid
),

types as (
    select t.oid, t.typowner, t.typacl, t.typtype, t.typrelid, 'type ' || t.oid::regtype as object
    from objects o
    inner join pg_catalog.pg_type t on t.oid = o.objid and t.tableoid = o.classid
),

schemas as (
    select n.oid, n.nspowner, n.nspacl, format('schema %I', n.nspname) as object
    from objects o
    inner join pg_catalog.pg_namespace n on n.oid = o.objid and n.tableoid = o.classid
),

owned as (
    select r.object, r.oid, 'pg_class' as catalog, r.relowner as owner,
        case r.relkind when 'S' then 's' else 'r' end::"char" as kind, r.relacl as acl
    from relations r
    union all
    select r.object, r.oid, 'pg_proc', r.proowner, 'f', r.proacl
    from routines r
    union all
    select t.object, t.oid, 'pg_type', t.typowner, 'T', t.typacl
    from types t
    union all
    select s.object, s.oid, 'pg_namespace', s.nspowner, 'n', s.nspacl
    from schemas s
),

granted as (
    select o.object, o.owner, a.grantee, lower(a.privilege_type) as privilege, a.is_grantable
    from owned o
    cross join aclexplode(coalesce(o.acl, acldefault(o.kind, o.owner))) a
    union all
    select r.object, r.relowner, x.grantee, format('%s (%I)', lower(x.privilege_type), a.attname),
        x.is_grantable
    from relations r
    inner join pg_catalog.pg_attribute a on a.attrelid = r.oid
    cross join aclexplode(a.attacl) x
),

parts (object, part, content) as (
    -- What has no part below, such as an operator.
    select i.type || ' ' || i.identity, null, null
    from objects o
    cross join pg_identify_object(o.classid, o.objid, 0) i
    where o.classid not in (
            'pg_catalog.pg_class'::regclass, 'pg_catalog.pg_namespace'::regclass,
            'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_type'::regclass
        )
    union all
    select o.object, 'owner', o.owner::regrole::text
    from owned o
    union all
    select o.object, 'comment', obj_description(o.oid, o.catalog)
    from owned o
    union all
    select g.object, format('grant %s to %s', g.privilege, g.name),
        case when bool_or(g.is_grantable) then 'with grant option' else '' end
    from (
        select g.*, case g.grantee when 0 then 'public' else g.grantee::regrole::text end as name
        from granted g
        where g.grantee <> g.owner
    ) g
    group by g.object, g.privilege, g.name
    union all
    select o.object, format('lost grant %s to %s', lower(a.privilege_type), o.owner::regrole), ''
    from owned o
    cross join aclexplode(acldefault(o.kind, o.owner)) a
    where a.grantee = o.owner
        -- New in PostgreSQL 17.
        and a.privilege_type <> 'MAINTAIN'
        and not exists (
            select
            from granted g
            where g.object = o.object and g.grantee = o.owner and g.privilege = lower(a.privilege_type)
        )

    union all
    select r.object, v.part, v.content
    from routines r
    inner join pg_catalog.pg_language l on l.oid = r.prolang
    cross join lateral (
        values
        ('arguments', pg_get_function_arguments(r.oid)),
        ('result', pg_get_function_result(r.oid)),
        (
            'attributes',
            concat_ws(
                ' ',
                l.lanname,
                case r.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
                case when r.prosecdef then 'security definer' else 'security invoker' end,
                case when r.proisstrict then 'strict' end,
                case when r.proleakproof then 'leakproof' end,
                case r.proparallel when 's' then 'parallel safe' when 'r' then 'parallel restricted' end,
                'cost ' || nullif(r.procost, 100),
                'rows ' || nullif(r.prorows, 0),
                'support ' || nullif(r.prosupport, 0)::regproc
            )
        ),
        (
            'settings',
            (select string_agg(c.entry, ', ' order by c.entry collate "C") from unnest(r.proconfig) c (entry))
        ),
        -- A checkout on Windows may have changed the line breaks.
        ('body', replace(r.prosrc, e'\r\n', e'\n') || coalesce(pg_get_function_sqlbody(r.oid), ''))
    ) v (part, content)

    union all
    select t.object, 'definition',
        case t.typtype
            when 'e' then (
                select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
                from pg_catalog.pg_enum e
                where e.enumtypid = t.oid
            )
            when 'c' then (
                select string_agg(
                    format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' order by a.attnum
                )
                from pg_catalog.pg_attribute a
                where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
            )
            else t.typtype::text
        end
    from types t
    union all
    select t.object, format('comment of column %I', a.attname), col_description(t.typrelid, a.attnum)
    from types t
    inner join pg_catalog.pg_attribute a on a.attrelid = t.typrelid

    union all
    select r.object, v.part, v.content
    from relations r
    cross join lateral (
        values
        ('persistence', case r.relpersistence when 'u' then 'unlogged' end),
        ('row level security', case when r.relrowsecurity then 'on' when r.relkind = 'r' then 'off' end),
        ('forced row level security', case when r.relforcerowsecurity then 'on' end),
        ('options', case when r.relkind = 'v' then array_to_string(r.reloptions, ', ') end)
    ) v (part, content)
    union all
    select r.object, 'definition',
        -- PostgreSQL 15 writes the alias before a column also where there is only one relation.
        -- In subselects every version writes it.
        case
            when v.text ~ 'JOIN' then v.text
            else coalesce(regexp_replace(v.text, '\m' || v.alias || '\.', '', 'g'), v.text)
        end
    from relations r
    cross join lateral (
        select d.text, substring(d.text from 'FROM [\w.]+ (\w+)')
        from pg_get_viewdef(r.oid) d (text)
    ) v (text, alias)
    where r.relkind in ('v', 'm')
    union all
    select r.object, 'definition',
        format(
            '%s start %s increment %s from %s to %s cache %s%s',
            format_type(s.seqtypid, null), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache,
            case when s.seqcycle then ' cycle' end
        )
    from relations r
    inner join pg_catalog.pg_sequence s on s.seqrelid = r.oid

    union all
    select r.object, v.part, v.content
    from relations r
    inner join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    cross join lateral (
        values
        (
            format('column %I', a.attname),
            concat_ws(
                ' ',
                format_type(a.atttypid, a.atttypmod),
                'collate ' || (
                    select c.oid::regcollation
                    from pg_catalog.pg_collation c
                    inner join pg_catalog.pg_type t on t.oid = a.atttypid
                    where c.oid = a.attcollation and c.oid <> t.typcollation
                ),
                case when a.attnotnull then 'not null' end,
                'generated ' || case a.attidentity when 'a' then 'always' when 'd' then 'by default' end
                || ' as identity',
                case a.attgenerated when '' then 'default ' else 'generated as ' end
                || pg_get_expr(d.adbin, d.adrelid)
            )
        ),
        (format('comment of column %I', a.attname), col_description(r.oid, a.attnum))
    ) v (part, content)
    where r.relkind not in ('v', 'm', 'S')
    union all
    select r.object, v.part, v.content
    from relations r
    inner join pg_catalog.pg_constraint c on c.conrelid = r.oid
    cross join lateral (
        values
        (format('constraint %I', c.conname), pg_get_constraintdef(c.oid)),
        (
            format('state of constraint %I', c.conname),
            (
                select max('disabled')
                from pg_catalog.pg_trigger g
                where g.tgconstraint = c.oid and g.tgenabled = 'D'
            )
        )
    ) v (part, content)
    -- Not-null constraints are objects since PostgreSQL 18. A constraint trigger is a trigger.
    where c.contype not in ('n', 't')
    union all
    select r.object, v.part, v.content
    from relations r
    inner join pg_catalog.pg_index i on i.indrelid = r.oid
    inner join pg_catalog.pg_class c on c.oid = i.indexrelid
    cross join lateral (
        values
        (format('index %I', c.relname), pg_get_indexdef(i.indexrelid)),
        (format('state of index %I', c.relname), case when not i.indisvalid then 'invalid' end)
    ) v (part, content)
    where not exists (
        select
        from pg_catalog.pg_constraint k
        where k.conrelid = r.oid and k.conindid = i.indexrelid
    )
    union all
    select r.object, v.part, v.content
    from relations r
    inner join pg_catalog.pg_policy p on p.polrelid = r.oid
    cross join lateral (
        values
        (
            format('policy %I', p.polname),
            format(
                '%s for %s to %s',
                case when p.polpermissive then 'permissive' else 'restrictive' end,
                case p.polcmd
                    when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete'
                    else 'all'
                end,
                (
                    -- Names of roles sort in the same way in every database.
                    select string_agg(coalesce(quote_ident(g.rolname), 'public'), ', ' order by g.rolname)
                    from unnest(p.polroles) o (oid)
                    left join pg_catalog.pg_roles g on g.oid = o.oid
                )
            )
        ),
        (
            format('condition of policy %I', p.polname),
            concat_ws(
                ' ',
                'using ' || pg_get_expr(p.polqual, p.polrelid),
                'with check ' || pg_get_expr(p.polwithcheck, p.polrelid)
            )
        )
    ) v (part, content)
    union all
    select r.object, v.part, v.content
    from relations r
    inner join pg_catalog.pg_trigger g on g.tgrelid = r.oid and not g.tgisinternal
    cross join lateral (
        values
        (format('trigger %I', g.tgname), pg_get_triggerdef(g.oid)),
        (
            format('state of trigger %I', g.tgname),
            case g.tgenabled when 'D' then 'disabled' when 'R' then 'enabled for replication only' end
        )
    ) v (part, content)
    union all
    select r.object, format('rule %I', w.rulename), pg_get_ruledef(w.oid)
    from relations r
    inner join pg_catalog.pg_rewrite w on w.ev_class = r.oid
    where w.rulename <> '_RETURN'
)

select p.object, p.part,
    case
        -- What a sentence can show.
        when length(p.content) <= 100 and strpos(p.content, e'\n') = 0 then p.content
        else 'sha256 ' || left(encode(sha256(convert_to(p.content, 'UTF8')), 'hex'), 32)
    end as content
from parts p
where (p.part is null) = (p.content is null)
