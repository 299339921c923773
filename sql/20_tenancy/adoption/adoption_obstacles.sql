-- What the checks of the doctor do not ask, because no operation lets it come into a tenant.
create function tenancy.adoption_obstacles(schema_name text)
    returns setof tenancy.adoption_step
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_namespace constant oid := to_regnamespace(quote_ident(schema_name))::oid;
    v_usage constant jsonb := tenancy.budget_usage(schema_name);
    v_template_usage constant jsonb := tenancy.budget_usage('tenant_template');
    v_has_template constant boolean := exists (
        select
        from public.tenants t
        join tenancy.tenant_template_objects o on o.version = t.schema_version and o.object_kind = 'table'
        where t.schema_name = adoption_obstacles.schema_name
            and tenancy.find_table(adoption_obstacles.schema_name, o.object_name) is not null
    );
begin
    return query
    with objects as materialized (
        select 'schema' as kind, n.nspname::text as name, 'pg_namespace'::regclass as catalog, n.oid, n.nspowner as owner,
            'schema' as word, quote_ident(n.nspname) as title
        from pg_catalog.pg_namespace n
        where n.oid = v_namespace
        union all
        select k.kind, c.relname::text, 'pg_class'::regclass, c.oid, c.relowner, k.kind, c.oid::regclass::text
        from pg_catalog.pg_class c
        cross join lateral (
            select case c.relkind
                when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table'
                when 'S' then 'sequence' when 'c' then 'type' else 'table'
            end
        ) k (kind)
        where c.relnamespace = v_namespace and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'c')
        union all
        select 'routine', format('%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)),
            'pg_proc'::regclass, p.oid, p.proowner, 'routine', p.oid::regprocedure::text
        from pg_catalog.pg_proc p
        where p.pronamespace = v_namespace
        union all
        select 'type', y.typname::text, 'pg_type'::regclass, y.oid, y.typowner, 'type', y.oid::regtype::text
        from pg_catalog.pg_type y
        where y.typnamespace = v_namespace and y.typtype in ('e', 'd', 'r')
    ),
    own as materialized (
        select o.*, e.extname::text as extension
        from objects o
        left join pg_catalog.pg_depend d
            on d.classid = o.catalog and d.objid = o.oid and d.deptype = 'e' and d.refclassid = 'pg_extension'::regclass
        left join pg_catalog.pg_extension e on e.oid = d.refobjid
        -- PostgreSQL makes the constructors of a range type. They belong to a superuser.
        where not exists (
            select from pg_catalog.pg_depend i
            where i.classid = o.catalog and i.objid = o.oid and i.deptype = 'i' and o.kind = 'routine'
        )
    )
    select 'refused', o.kind, o.name,
        format('It belongs to the role %s, which could change it past every layer.', o.owner::regrole),
        format('alter %s %s owner to %s;', o.word, o.title, current_user::regrole)
    from own o
    where o.owner <> current_user::regrole and o.extension is null
    union all
    select 'refused', 'extension', e.extname::text,
        'The extension has its objects in the schema.',
        format('alter extension %I set schema extensions; or drop the extension.', e.extname)
    from pg_catalog.pg_extension e
    where e.extnamespace = v_namespace or e.extname in (select o.extension from own o)
    union all
    select 'refused', o.kind, o.name,
        'Its name has a character that would make it ambiguous: a point, a quotation mark or a line break.',
        format('Rename this %s.', o.kind)
    from own o
    where o.kind not in ('routine', 'schema') and o.name ~ '[."\n\r]' and o.extension is null
    union all
    -- In a tenant migration the tenant's schema comes before extensions.
    select 'refused', o.kind, o.name,
        'It would hide the type of this name that an extension has.',
        format('Rename this %s.', o.kind)
    from own o
    join pg_catalog.pg_type y on y.typname = o.name and y.typnamespace = to_regnamespace('extensions')
    where o.kind not in ('routine', 'schema', 'sequence') and o.extension is null
    union all
    select 'refused', 'rule', format('%s.%s', c.relname, r.rulename),
        'A rule writes with the rights of the table''s owner, past the policies.',
        format('drop rule %I on %s; write a trigger instead.', r.rulename, c.oid::regclass)
    from pg_catalog.pg_rewrite r
    join pg_catalog.pg_class c on c.oid = r.ev_class
    where c.relnamespace = v_namespace and r.rulename <> '_RETURN'
    union all
    select 'refused', 'table', c.relname::text,
        format('It inherits from %s. The audit log would miss changes that are made through the other table.', i.inhparent::regclass),
        format('alter table %s no inherit %s;', c.oid::regclass, i.inhparent::regclass)
    from pg_catalog.pg_inherits i
    join pg_catalog.pg_class c on c.oid = i.inhrelid and c.relkind in ('r', 'p')
    join pg_catalog.pg_class p on p.oid = i.inhparent
    where c.relnamespace = v_namespace and (not c.relispartition or p.relnamespace <> v_namespace)
    union all
    select 'refused', 'policy', format('%s.%s', c.relname, p.polname),
        format(
            'It is for the roles %s. The policies of a tenant''s table are for authenticated.',
            (select string_agg(case r.oid when 0 then 'PUBLIC' else r.oid::regrole::text end, ', ') from unnest(p.polroles) r (oid))
        ),
        format('drop policy %I on %s; or give it to authenticated.', p.polname, c.oid::regclass)
    from pg_catalog.pg_policy p
    join pg_catalog.pg_class c on c.oid = p.polrelid
    where c.relnamespace = v_namespace
        and p.polpermissive
        and not p.polroles <@ array[0::oid, 'anon'::regrole, 'authenticated'::regrole, 'service_role'::regrole]
    union all
    select 'refused', 'trigger', format('%s.%s', c.relname, g.tgname),
        'The audit of a tenant''s table needs a trigger of this name.',
        format('alter trigger %I on %s rename to …;', g.tgname, c.oid::regclass)
    from pg_catalog.pg_trigger g
    join pg_catalog.pg_class c on c.oid = g.tgrelid
    join pg_catalog.pg_proc p on p.oid = g.tgfoid
    where c.relnamespace = v_namespace
        and g.tgname in ('audit_insert', 'audit_update', 'audit_delete', 'audit_truncate')
        -- The schema of a former tenant has the audit.
        and p.prosrc not like E'\n<<audit>>%'
        and not tenancy.is_template_table(schema_name, c.relname::text)
    union all
    select 'refused', 'routine', format('%s()', p.proname),
        'The Data API calls it before each request, and could not do so afterwards.',
        'Move it into another schema, name it there as the pre-request function, and call tenancy.install_guard().'
    from tenancy.find_pre_request() f
    join pg_catalog.pg_proc p on p.oid = tenancy.resolve_pre_request(f.function_name)
    where p.pronamespace = v_namespace
    union all
    select 'refused', 'exposed schema', schema_name,
        'It is the first schema of the Data API''s list, which serves all requests that name no schema.',
        'Move your tables into a schema of their own: alter table … set schema …;'
    where schema_name = (tenancy.exposed_schemas())[1]
    union all
    -- What a request can reach through a role of the project.
    select 'refused', 'grant', format('%s %s to %s', g.object_kind, g.object_name, g.grantee),
        format(
            'Requests to the Data API can act as the role %s, which has %s on this %s and is outside the layers.',
            g.grantee, g.privileges, g.object_kind
        ),
        format(
            'revoke all on %s from %s;',
            case g.object_kind
                when 'schema' then format('schema %I', g.object_name)
                when 'routine' then format(
                    'routine %I.%I%s', schema_name, split_part(g.object_name, '(', 1), substr(g.object_name, strpos(g.object_name, '('))
                )
                when 'sequence' then format('sequence %I.%I', schema_name, g.object_name)
                else format('%I.%I', schema_name, g.object_name)
            end,
            g.grantee
        )
    from tenancy.schema_privileges(schema_name) g
    where case
        when g.grantee in ('PUBLIC', 'anon', 'authenticated', 'service_role') then false
        else pg_has_role('authenticator', g.grantee::regrole, 'member')
    end
    union all
    select 'refused', 'table', c.relname::text,
        'It is shared with all tenants.',
        format('select tenancy.unshare_table(%L); or move it into another schema.', h.relation)
    from tenancy.shared_tables h
    join pg_catalog.pg_class c on c.oid = h.relation
    where c.relnamespace = v_namespace
    union all
    select 'refused', 'dependent', d.description,
        'It is outside the schema and depends on it. The tenant could not be deleted, and rows could leave the tenant.',
        'Drop it, or move it into the schema.'
    from unnest(tenancy.outside_dependents(schema_name)) d (description)
    union all
    select 'refused', 'budget', b.kind,
        format('The tenant would have %s %s, and %s are allowed.', b.used, replace(b.kind, '_', ' '), b.allowed),
        format('Drop what is no longer needed; or: update tenancy.platform_settings set max_%s = …;', b.kind)
    from tenancy.platform_settings s
    cross join lateral (
        values
        (
            'tables',
            cardinality(tenancy.table_oids(schema_name))
            + case when v_has_template then 0 else cardinality(tenancy.table_oids('tenant_template')) end,
            s.max_tables
        ),
        ('columns', (v_usage ->> 'columns')::integer, s.max_columns),
        ('indexes', (v_usage ->> 'indexes')::integer, s.max_indexes),
        ('foreign_keys', (v_usage ->> 'foreign_keys')::integer, s.max_foreign_keys),
        ('text_bytes', (v_usage ->> 'text_bytes')::integer, s.max_text_bytes)
    ) u (kind, used, allowed)
    cross join lateral (
        select u.kind,
            u.used + case when v_has_template or u.kind = 'tables' then 0 else (v_template_usage ->> u.kind)::integer end as used,
            u.allowed
    ) b
    where b.used > b.allowed;
end;
$$;

comment on function tenancy.adoption_obstacles(text) is
    'What keeps a schema from becoming a tenant: objects of another owner or of an extension, rules, inheritance, policies for other roles, triggers with the names of the audit''s, privileges of roles that requests can act as, the project''s pre-request function, the schema of requests that name none, shared tables, ambiguous names, objects outside that depend on it, exceeded budgets. Only with its registry row.';
