create function tenancy.require_template_shape()
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_problem text;
begin
    select case o.object_kind
        when 'column' then format('column "%s" has the prefix x_, which is reserved for the tenants'' own columns. Give it another name', o.object_name)
        -- Every tenant would have such a key: creating a tenant stops writers of that table.
        when 'constraint' then format(
            'foreign key "%s" references a table outside the tenant''s schema, %s, which %s',
            o.object_name, o.target,
            case
                when o.target = 'auth.users'::regclass then 'cannot be shared. Write a plain uuid column, or reference the tenant''s own table users'
                when o.obstacle is not null then format('cannot be shared: %s. Write a plain column without this key', o.obstacle)
                else format('is not shared. If every tenant may reference it, write before the registration: select tenancy.share_table(%L)', o.target)
            end
        )
        when 'sequence' then format('sequence "%s" is not a sequence of a table''s column. Write: alter sequence %I owned by <table>.<column>; or make the column an identity column', o.object_name, o.object_name)
        -- A rule writes with the rights of the table''s owner, past the policies.
        when 'rule' then format('"%s" is a rule, which would run with the rights of the table''s owner. Write a trigger', o.object_name)
        when 'view' then format('view "%s" is not a view with security_invoker, so it would show what policies hide. Write: create view %I with (security_invoker = true) as …', o.object_name, o.object_name)
        else format(
            '"%s" is a %s, and neither a table, nor a sequence of a table''s column, nor a view with security_invoker. %s',
            o.object_name,
            case o.relkind when 'm' then 'materialized view' when 'f' then 'foreign table' else 'relation of another kind' end,
            case o.relkind
                when 'm' then 'No policy applies to it. Make it a view with (security_invoker = true), or a table that triggers or a job fill'
                when 'f' then 'Create foreign tables before the registration, in a schema that the Data API does not expose'
                else 'Make it a table'
            end
        )
    end
    into v_problem
    from (
        select s.*, c.relkind, c.reloptions, f.target, f.obstacle
        from tenancy.schema_objects('tenant_template') s
        left join pg_catalog.pg_class c
            on c.relname = s.object_name
            and c.relnamespace = 'tenant_template'::regnamespace
            and s.object_kind in ('relation', 'view')
        left join lateral (
            select k.confrelid::regclass as target, tenancy.sharing_obstacle(k.confrelid) as obstacle
            from pg_catalog.pg_constraint k
            join pg_catalog.pg_class c on c.oid = k.confrelid
            where s.object_kind = 'constraint'
                and k.contype = 'f'
                and k.conrelid = tenancy.find_table('tenant_template', s.table_name)
                and k.conname = substr(s.object_name, length(s.table_name) + 2)
                and c.relnamespace <> 'tenant_template'::regnamespace
                and k.confrelid not in (select h.relation from tenancy.shared_tables h)
        ) f on true
    ) o
    where o.object_kind = 'relation'
        or (o.object_kind = 'sequence' and o.table_name is null)
        or (o.object_kind = 'view' and not tenancy.is_security_invoker(o.reloptions))
        or (o.object_kind = 'column' and o.is_extension)
        or o.target is not null
    order by o.object_kind, o.object_name
    limit 1;

    if v_problem is null then
        select format(
            'foreign key "%s" references the shared table %s and has no index, so deleting a row there would read '
            'table "%s" of every tenant. Write: create index on %I (%I)',
            k.conname, k.confrelid::regclass, c.relname, c.relname, (tenancy.column_names(k.conrelid, k.conkey))[1]
        )
        into v_problem
        from pg_catalog.pg_constraint k
        join pg_catalog.pg_class c on c.oid = k.conrelid
        where c.relnamespace = 'tenant_template'::regnamespace
            and k.contype = 'f'
            and k.confrelid in (select s.relation from tenancy.shared_tables s)
            and not exists (
                select from pg_catalog.pg_index i where i.indrelid = k.conrelid and i.indkey[0] = k.conkey[1]
            )
        order by k.conname
        limit 1;
    end if;

    if v_problem is null then
        -- If a row of the child is changed through the parent, the audit triggers see only the
        -- parent's columns.
        select format('table "%s" inherits from another table and has columns of its own, which the audit log would miss. Make it a table without INHERITS', c.relname)
        into v_problem
        from pg_catalog.pg_inherits i
        join pg_catalog.pg_class c on c.oid = i.inhrelid
        where c.relnamespace = 'tenant_template'::regnamespace
            and c.relkind = 'r'
            and not c.relispartition
            and exists (
                select from pg_catalog.pg_attribute a
                where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attinhcount = 0
            )
        order by c.relname
        limit 1;
    end if;

    if v_problem is null then
        -- A rule writes with the rights of the table's owner, past the policies.
        select format('"%s" is a rule of "%s", which would run with the rights of the owner. Write a trigger', r.rulename, c.relname)
        into v_problem
        from pg_catalog.pg_rewrite r
        join pg_catalog.pg_class c on c.oid = r.ev_class
        where c.relnamespace = 'tenant_template'::regnamespace and r.rulename <> '_RETURN'
        order by r.rulename
        limit 1;
    end if;

    if v_problem is null then
        -- Policies do not apply to the owner of a table.
        select format('%s belongs to role %s. Leave the owner as it is', o.title, o.owner::regrole)
        into v_problem
        from (
            select 'pg_class'::regclass, c.oid, format('relation "%s"', c.relname), c.relowner
            from pg_catalog.pg_class c
            where c.relnamespace = 'tenant_template'::regnamespace
            union all
            select 'pg_proc'::regclass, p.oid, format('routine "%s"', p.proname), p.proowner
            from pg_catalog.pg_proc p
            join pg_catalog.pg_language l on l.oid = p.prolang
            where p.pronamespace = 'tenant_template'::regnamespace and l.lanname not in ('internal', 'c')
            union all
            select 'pg_type'::regclass, t.oid, format('type "%s"', t.typname), t.typowner
            from pg_catalog.pg_type t
            where t.typnamespace = 'tenant_template'::regnamespace and t.typtype in ('d', 'e')
        ) o (catalog, oid, title, owner)
        where o.owner <> (select n.nspowner from pg_catalog.pg_namespace n where n.nspname = 'tenant_template')
            -- An extension is refused with a better reason.
            and not exists (
                select from pg_catalog.pg_depend e
                where e.classid = o.catalog and e.objid = o.oid and e.deptype = 'e'
            )
        order by o.title
        limit 1;
    end if;

    if v_problem is null then
        -- Such a setting says who is calling, or turns a protection off, while the routine runs.
        select format('routine "%s" sets the parameter %s. Remove this SET from it', p.proname, split_part(s.setting, '=', 1))
        into v_problem
        from pg_catalog.pg_proc p
        cross join unnest(p.proconfig) s (setting)
        where p.pronamespace = 'tenant_template'::regnamespace
            and s.setting ~* '^(role|session_authorization|row_security|session_replication_role|(request|tenancy|pgrst|safeupdate)\..*)='
        order by p.proname
        limit 1;
    end if;

    if v_problem is not null then
        raise exception 'The tenant template does not allow this: %. Nothing was registered.', v_problem
            using errcode = 'object_not_in_prerequisite_state';
    end if;
end;
$$;

comment on function tenancy.require_template_shape() is
    'Requires of the reference schema: tables, their sequences and views with security_invoker are the only relations; no column has the prefix x_; foreign keys that leave the schema reference shared tables, and have an index; no table inherits columns from another and adds some; no rules; everything belongs to the owner; no routine sets a parameter that says who is calling (55000).';
