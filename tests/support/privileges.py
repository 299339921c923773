"""The privileges of the API roles: the actual ones in PostgreSQL, and the expected ones."""

from __future__ import annotations

from typing import Any

import psycopg

from tenantry.catalogue import catalogue

Database = psycopg.Connection[dict[str, Any]]
Privilege = tuple[str, str, str]
"""A role, a privilege, and an object."""

# Effective privileges, including those through PUBLIC, other roles and single columns.
ACTUAL = """
with roles (name) as (
    values ('public'), ('anon'), ('authenticated'), ('service_role')
),
schemas as (
    select n.oid, n.nspname from pg_catalog.pg_namespace n
    where n.nspname = any (%(schemas)s)
)
select r.name, p.name as privilege, s.nspname::text as object
from roles r, schemas s, unnest('{usage,create}'::text[]) p (name)
where has_schema_privilege(r.name, s.oid, p.name)
union all
select r.name, p.name, s.nspname || '.' || c.relname
from roles r, schemas s
join pg_catalog.pg_class c on c.relnamespace = s.oid and c.relkind in ('r', 'p', 'v', 'm', 'f')
cross join unnest('{select,insert,update,delete,truncate,references,trigger}'::text[]) p (name)
where has_table_privilege(r.name, c.oid, p.name)
    or (
        p.name in ('select', 'insert', 'update', 'references')
        and has_any_column_privilege(r.name, c.oid, p.name)
    )
union all
select r.name, p.name, s.nspname || '.' || c.relname
from roles r, schemas s
join pg_catalog.pg_class c on c.relnamespace = s.oid and c.relkind = 'S'
cross join unnest('{usage,select,update}'::text[]) p (name)
where has_sequence_privilege(r.name, c.oid, p.name)
union all
select r.name, 'execute', s.nspname || '.' || f.proname
from roles r, schemas s
join pg_catalog.pg_proc f on f.pronamespace = s.oid
where has_function_privilege(r.name, f.oid, 'execute')
"""

EVERYBODY = ("anon", "authenticated", "service_role")
SIGNED_IN = ("authenticated", "service_role")

REGISTRY = ("tenants", "admin_users", "user_schema_access", "admin_audit_log")
RPCS = tuple(catalogue())
GUARD = ("guard_request",)
PREDICATES = (
    *("caller", "is_platform_staff", "member_tenants"),
    *("administered_tenants", "administered_tenant_ids"),
)

EXPECTED: set[Privilege] = {
    # The platform's own grants.
    *((role, "usage", "public") for role in ("public", *EVERYBODY)),
    # Ours.
    *((role, "select", f"public.{table}") for role in SIGNED_IN for table in REGISTRY),
    *((role, "execute", f"public.{rpc}") for role in SIGNED_IN for rpc in RPCS),
    *((role, "usage", "tenancy") for role in EVERYBODY),
    *((role, "execute", f"tenancy.{name}") for role in EVERYBODY for name in GUARD),
    *(("authenticated", "execute", f"tenancy.{name}") for name in PREDICATES),
    ("authenticated", "select", "tenancy.open_tenants"),
    *((role, "execute", "tenancy.has_permission") for role in SIGNED_IN),
}

WRITTEN_BY_ADMINS = ("settings",)
READ_ONLY = ("users", "audit_log")


def expected_in_tenant(schema_name: str) -> set[Privilege]:
    """In a new active tenant. A suspended tenant has none."""
    return {
        *((role, "usage", schema_name) for role in SIGNED_IN),
        *(
            (role, verb, f"{schema_name}.{table}")
            for role in SIGNED_IN
            for table in WRITTEN_BY_ADMINS
            for verb in ("select", "insert", "update", "delete")
        ),
        *(
            (role, "select", f"{schema_name}.{table}")
            for role in SIGNED_IN
            for table in READ_ONLY
        ),
    }


def actual(database: Database, *schemas: str) -> set[Privilege]:
    rows = database.execute(ACTUAL, {"schemas": list(schemas)})
    return {(row["name"], row["privilege"], row["object"]) for row in rows}


def of_the_project(database: Database) -> set[Privilege]:
    """All objects of Tenantry except tenants. The reference schema must have no privilege."""
    return actual(database, "public", "tenancy", "tenant_template")
