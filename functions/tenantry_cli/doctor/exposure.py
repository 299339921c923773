"""Compares the registry, the existing schemas and the schemas that the Data API lists."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from tenantry_cli.doctor.problem import Connection, Priority, Problem, call

_GUARD = "tenancy.guard_request"
# Schemas that no client may use.
_PRIVATE = ("tenancy", "tenant_template", "auth", "vault", "extensions", "information_schema")

_SCHEMAS = """
select
    tenancy.exposed_schemas() as exposed,
    array(select t.schema_name from public.tenants t order by 1) as registered,
    array(select n.nspname::text from pg_namespace n) as present,
    -- Schemas that were created as a tenant but have no registry row.
    array(
        select distinct n.nspname::text
        from pg_trigger g
        join pg_class c on c.oid = g.tgrelid
        join pg_namespace n on n.oid = c.relnamespace
        where g.tgfoid = 'tenancy.tg_settings__stamp'::regproc
            and n.nspname <> 'tenant_template'
            and not exists (select from public.tenants t where t.schema_name = n.nspname)
    ) as orphans
"""

_DEREGISTER = """
do $repair$
declare
    v_tenant public.tenants;
begin
    delete from public.tenants t where t.schema_name = {name} returning * into v_tenant;
    perform tenancy.log_action(
        'tenant.delete', v_tenant,
        jsonb_build_object(
            'before', to_jsonb(v_tenant), 'audit_log', tenancy.forget_audit_log({name}),
            'by', 'tenantry doctor'
        )
    );
end;
$repair$
"""

_REGISTER = """
do $repair$
declare
    v_tenant public.tenants;
begin
    insert into public.tenants
        (schema_name, display_name, status, suspended_at, suspension_reason, schema_version)
    values (
        {name}, {name}, 'suspended', now(), 'Found without a registry row by tenantry doctor.',
        -- The version that the schema differs least from. At a later version the tenant would
        -- never receive the migrations that it lacks.
        (
            select m.version
            from tenancy.tenant_migrations m
            order by (
                select count(*)
                from tenancy.schema_differences(
                    {name}, m.version,
                    array(
                        select row(o.*)::tenancy.schema_object
                        from tenancy.schema_objects({name}) o
                    )
                )
            ), m.position desc
            limit 1
        )
    )
    returning * into v_tenant;
    perform tenancy.log_action(
        'tenant.create', v_tenant,
        jsonb_build_object('after', to_jsonb(v_tenant), 'by', 'tenantry doctor')
    );
end;
$repair$
"""

_PRE_REQUEST = """
select substring(c.entry from '^pgrst\\.db_pre_request=(.*)$') as function
from pg_db_role_setting s
cross join unnest(s.setconfig) c (entry)
where s.setrole = 'authenticator'::regrole
    and s.setdatabase in (
        0, (select d.oid from pg_database d where d.datname = current_database())
    )
    and c.entry like 'pgrst.db\\_pre\\_request=%'
order by s.setdatabase desc
limit 1
"""


def examine_exposure(connection: Connection) -> Iterator[Problem]:
    found = connection.execute(_SCHEMAS).fetchone() or {}
    exposed, registered, present = found["exposed"], found["registered"], found["present"]
    for name in exposed:
        if name not in present:
            yield Problem(
                "listed but missing",
                name,
                f"The Data API lists the schema {name}, which does not exist. This makes the "
                "whole Data API fail.",
                f"Remove the schema from the list: select tenancy.unexpose_schema('{name}');",
                Priority.OUTAGE,
                (call("unexpose_schema", name),),
            )
        elif name in _PRIVATE:
            yield Problem(
                "private schema exposed",
                name,
                f"The Data API lists the schema {name}, which no client may use.",
                f"Remove the schema from the list: select tenancy.unexpose_schema('{name}');",
                Priority.EXCESS_ACCESS,
                (call("unexpose_schema", name),),
            )
    for name in registered:
        if name not in present:
            yield Problem(
                "tenant without schema",
                name,
                f"Tenant {name} is registered, but its schema does not exist.",
                "Restore the schema from a backup; or run the doctor with --fix "
                "--forget-missing, which deletes the registry row, the access grants and the "
                "audit seals of the tenant for good.",
                Priority.REGISTRY,
                (sql.SQL(_DEREGISTER).format(name=name),),
                is_final=True,
            )
        elif name not in exposed:
            yield Problem(
                "not listed",
                name,
                f"Tenant {name} is registered, but the Data API does not list its schema.",
                f"Add the schema to the list: select tenancy.expose_schema('{name}');",
                Priority.EXPOSURE,
                (call("expose_schema", name),),
            )
    for name in found["orphans"]:
        yield Problem(
            "schema without tenant",
            name,
            f"The schema {name} has the tables of a tenant, but it is not registered.",
            "Run the doctor with --fix, which registers the schema as a suspended tenant. Then "
            "inspect the tenant, and activate or delete it.",
            Priority.REGISTRY,
            (
                sql.SQL(_REGISTER).format(name=name),
                call("apply_tenant_privileges", name),
                call("expose_schema", name),
            ),
        )


def examine_guard(connection: Connection) -> Iterator[Problem]:
    row = connection.execute(_PRE_REQUEST).fetchone()
    function = row["function"] if row else None
    database = connection.info.dbname
    install = (
        sql.SQL("alter role authenticator in database {} set pgrst.db_pre_request = {}").format(
            sql.Identifier(database), _GUARD
        ),
        sql.SQL("notify pgrst, 'reload config'"),
    )
    if not function:
        yield Problem(
            "guard not installed",
            _GUARD,
            "The guard is not installed. The Data API runs no function before a request.",
            f"alter role authenticator in database {database} set pgrst.db_pre_request = "
            f"'{_GUARD}'; notify pgrst, 'reload config';",
            Priority.GUARD,
            install,
        )
    elif function != _GUARD:
        calls = connection.execute(
            "select exists (select from pg_proc p where p.oid = to_regproc(%s) "
            "and p.prosrc like %s) as calls",
            (function, f"%{_GUARD}%"),
        ).fetchone()
        if not (calls and calls["calls"]):
            yield Problem(
                "guard not called",
                function,
                f"The pre-request function is {function}, which does not call the guard.",
                f"Add this line to it: perform {_GUARD}();",
            )
