-- What a transaction has dropped is no longer in the catalog, and what it did to a role may not be
-- readable. Its locks stay until it ends.
create function tenancy.external_locks()
    returns text[]
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select array(
        -- Every ALTER and DROP, and TRUNCATE. The name of what is dropped is not known here.
        select case
            when c.oid is null then format('dropped pg_class %s', l.relation)
            else format('%s %s', i.type, i.identity)
        end
        from pg_catalog.pg_locks l
        left join pg_catalog.pg_class c on c.oid = l.relation
        left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        left join lateral pg_identify_object('pg_class'::regclass, c.oid, 0) i on c.oid is not null
        where l.pid = pg_backend_pid()
            and l.locktype = 'relation'
            and l.mode = 'AccessExclusiveLock'
            and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
            and (n.nspname is null or n.nspname !~ '^(tenant_template$|pg_toast|pg_temp)')
            -- Dropping a foreign key locks both tables. external_changes compares shared tables.
            and l.relation not in (select s.relation from tenancy.shared_tables s)
        union
        select format('dropped %s %s', l.classid::regclass, l.objid)
        from pg_catalog.pg_locks l
        where l.pid = pg_backend_pid()
            and case
                when l.locktype = 'object' and l.mode = 'AccessExclusiveLock' and l.classid <> 'pg_authid'::regclass
                then pg_describe_object(l.classid, l.objid, 0) is null
            end
        union
        -- Rows of another tenant, of the registry and of Tenantry's own tables.
        select format('rows of table %s', c.oid::regclass)
        from pg_catalog.pg_locks l
        join pg_catalog.pg_class c on c.oid = l.relation
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where l.pid = pg_backend_pid()
            and l.locktype = 'relation'
            and l.mode = 'RowExclusiveLock'
            and c.relkind in ('r', 'p')
            and (
                n.nspname = 'tenancy'
                or c.oid in (
                    'public.tenants'::regclass, 'public.admin_users'::regclass,
                    'public.user_schema_access'::regclass, 'public.admin_audit_log'::regclass
                )
                or exists (select from public.tenants t where t.schema_name = n.nspname)
            )
        union
        -- Each of these catalogs belongs to all databases of the server.
        select case l.relation
            when 'pg_authid'::regclass then 'roles'
            when 'pg_auth_members'::regclass then 'memberships of roles'
            when 'pg_db_role_setting'::regclass then 'settings of roles and databases'
            else format('the shared catalog %s', l.relation::regclass)
        end
        from pg_catalog.pg_locks l
        where l.pid = pg_backend_pid()
            and l.locktype = 'relation'
            and l.database = 0
            and l.mode = 'RowExclusiveLock'
            and l.relation in (
                'pg_authid'::regclass, 'pg_auth_members'::regclass, 'pg_db_role_setting'::regclass,
                'pg_database'::regclass, 'pg_tablespace'::regclass, 'pg_parameter_acl'::regclass,
                'pg_shdescription'::regclass, 'pg_shseclabel'::regclass
            )
    );
$$;

comment on function tenancy.external_locks() is
    'The locks of this transaction that show a change outside the reference schema: objects that it altered or dropped, rows of the registry, of Tenantry and of tenants, and roles.';
