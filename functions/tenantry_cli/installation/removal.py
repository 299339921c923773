"""The migration that removes Tenantry from a database."""

from collections.abc import Iterable

from tenantry_cli.release import ReleaseMigration, public_names

_TEXT = """\
-- Removes Tenantry {version}: its schemas, tables, functions and types, the audit log of the
-- platform, and its settings of the Data API. It fails, and changes nothing, while a tenant
-- exists or an object of this project depends on Tenantry.

do $$
declare
    v_tenants text[];
    v_dependents text[];
begin
    lock table public.tenants in access exclusive mode;
    if exists (select from public.tenants t where t.status = 'pooled') then
        raise exception 'There are tenants in the pool. Run: update tenancy.platform_settings '
            'set pool_size = 0 where true; then tenantry pool refill, and push again. '
            'Nothing was changed.';
    end if;
    select array_agg(t.schema_name order by t.schema_name) into v_tenants from public.tenants t;
    if v_tenants is not null then
        raise exception 'Tenants exist (%), such as %. Back up what you need, then suspend and '
            'delete each of them (suspend_tenant, delete_tenant_schema), and push again. '
            'Nothing was changed.',
            cardinality(v_tenants), v_tenants[1];
    end if;

    with recursive own (classid, objid) as (
        select s.classid, s.objid
        from (
            select 'pg_namespace'::regclass::oid, n.oid
            from pg_catalog.pg_namespace n
            where n.nspname in ('tenancy', 'tenant_template')
            union all
            select 'pg_class'::regclass::oid, c.oid
            from pg_catalog.pg_class c
            where c.relnamespace = 'public'::regnamespace and c.relname in (
                {relations}
            )
            union all
            select 'pg_type'::regclass::oid, t.oid
            from pg_catalog.pg_type t
            where t.typnamespace = 'public'::regnamespace and t.typname in (
                {types}
            )
            union all
            select 'pg_proc'::regclass::oid, p.oid
            from pg_catalog.pg_proc p
            where p.pronamespace = 'public'::regnamespace and p.proname in (
                {functions}
            )
        ) s (classid, objid)
        union
        -- What PostgreSQL drops silently with an object, such as its indexes and policies.
        select d.classid, d.objid
        from own o
        join pg_catalog.pg_depend d on d.refclassid = o.classid and d.refobjid = o.objid
        where d.deptype <> 'n' or o.classid = 'pg_namespace'::regclass
    )
    select array_agg(distinct f.description order by f.description) into v_dependents
    from (
        select coalesce(
            -- A view is a rule for PostgreSQL.
            (
                select pg_describe_object('pg_class'::regclass, r.ev_class, 0)
                from pg_catalog.pg_rewrite r
                where d.classid = 'pg_rewrite'::regclass
                    and r.oid = d.objid
                    and r.rulename = '_RETURN'
            ),
            pg_describe_object(d.classid, d.objid, d.objsubid)
        )
        from own o
        join pg_catalog.pg_depend d on d.refclassid = o.classid and d.refobjid = o.objid
        where not exists (select from own i where i.classid = d.classid and i.objid = d.objid)
        union all
        -- PostgreSQL records no dependency of a body that is a text.
        select pg_describe_object('pg_proc'::regclass, p.oid, 0)
        from pg_catalog.pg_proc p
        where p.pronamespace <> 'pg_catalog'::regnamespace
            and p.prosrc ~ '\\m(tenancy|public)\\.'
            and not exists (
                select from own i where i.classid = 'pg_proc'::regclass and i.objid = p.oid
            )
            and exists (
                select
                from own i
                left join pg_catalog.pg_proc r
                    on i.classid = 'pg_proc'::regclass and r.oid = i.objid
                left join pg_catalog.pg_class c
                    on i.classid = 'pg_class'::regclass and c.oid = i.objid
                join pg_catalog.pg_namespace n
                    on n.oid = coalesce(r.pronamespace, c.relnamespace)
                where p.prosrc ~ format(
                    '\\m%s\\.%s\\M', n.nspname, coalesce(r.proname, c.relname)
                )
            )
    ) f (description);
    if v_dependents is not null then
        raise exception 'Objects of this project depend on Tenantry: %. Drop or change them in '
            'a migration before this one, then push again. Nothing was changed.',
            array_to_string(v_dependents, ', ');
    end if;
end;
$$;

-- The settings of the Data API: the project's own pre-request function comes back. A list with
-- a schema that supabase/config.toml does not name stays.
do $$
declare
    v_function text;
    v_setting text;
begin
    select f.function_name, f.setting into v_function, v_setting
    from tenancy.find_pre_request() f;
    if v_setting = 'this database' then
        execute format(
            'alter role authenticator in database %I set pgrst.db_pre_request = %L',
            current_database(), v_function
        );
    else
        execute format(
            'alter role authenticator in database %I reset pgrst.db_pre_request',
            current_database()
        );
    end if;

    if tenancy.exposed_schemas() <@ array[{schemas}] then
        execute format(
            'alter role authenticator in database %I reset pgrst.db_schemas', current_database()
        );
    end if;
end;
$$;

-- The time limit for the load of the schema cache, and the timeouts that kept the API roles
-- from having it: they have the one of authenticator again. Roles belong to all databases.
do $$
declare
    v_role name;
    v_shared text;
begin
    select s.in_all_databases into v_shared
    from tenancy.timeout_settings('authenticator') s
    where s.in_this_database = '60s' and s.in_all_databases is not null;
    if v_shared is null then
        return;
    end if;

    execute format(
        'alter role authenticator in database %I reset statement_timeout', current_database()
    );
    for v_role in
        select r.rolname
        from pg_catalog.pg_auth_members m
        join pg_catalog.pg_roles r on r.oid = m.roleid
        cross join tenancy.timeout_settings(r.rolname) s
        where m.member = 'authenticator'::regrole
            and not r.rolcanlogin
            and r.rolname not in ('anon', 'authenticated')
            and s.in_all_databases = v_shared
            and not exists (
                select
                from pg_catalog.pg_db_role_setting o
                cross join unnest(o.setconfig) c (entry)
                where o.setrole = 'authenticator'::regrole
                    and o.setdatabase <> 0
                    and starts_with(c.entry, 'statement_timeout=')
            )
    loop
        execute format('alter role %I reset statement_timeout', v_role);
    end loop;
end;
$$;

-- What tenancy.share_table has granted.
do $$
declare
    v_table regclass;
begin
    for v_table in
        select s.relation
        from tenancy.shared_tables s
        join pg_catalog.pg_class c on c.oid = s.relation
        where s.is_granted
    loop
        execute format('revoke select on %s from authenticated', v_table);
    end loop;
end;
$$;

-- Tables, functions and policies of Tenantry depend on these schemas, and nothing else does.
drop schema tenant_template, tenancy cascade;
drop function if exists
    {dropped_functions};
drop table if exists
    {dropped_tables};
drop type if exists
    {dropped_types};

notify pgrst, 'reload config';
notify pgrst, 'reload schema';
"""


def removal(version: str, migrations: Iterable[ReleaseMigration], schemas: list[str]) -> str:
    """The migration; the Data API of the project exposes the schemas without Tenantry."""
    kinds = public_names(migrations)

    def named(*chosen: str) -> list[str]:
        return sorted(name for name, kind in kinds.items() if kind in chosen)

    def listed(names: list[str]) -> str:
        return (",\n" + " " * 16).join(map(_quoted, names))

    def dropped(names: list[str]) -> str:
        return ",\n    ".join(f"public.{name}" for name in names)

    return _TEXT.format(
        version=version,
        relations=listed(named("table", "view")),
        types=listed(named("type")),
        functions=listed(named("function")),
        schemas=", ".join(map(_quoted, schemas)),
        dropped_tables=dropped(named("table")),
        dropped_functions=dropped(named("function")),
        dropped_types=dropped(named("type")),
    )


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"
