"""All that the catalog alone can tell."""

from __future__ import annotations

from itertools import chain

import psycopg
from psycopg.rows import dict_row

from tenantry_cli.doctor.exposure import examine_exposure, examine_guard
from tenantry_cli.doctor.openings import examine_openings
from tenantry_cli.doctor.policies import examine_policies, examine_triggers
from tenantry_cli.doctor.privileges import examine_system_privileges, examine_tenant_privileges
from tenantry_cli.doctor.problem import Connection, Problem
from tenantry_cli.errors import TenantryError

_EXAMINATIONS = (
    examine_exposure,
    examine_guard,
    examine_tenant_privileges,
    examine_system_privileges,
    examine_policies,
    examine_triggers,
    examine_openings,
)


def connect(db_url: str) -> Connection:
    try:
        connection = psycopg.connect(db_url, row_factory=dict_row)
        # What is printed, of policies above all, must not depend on the caller's path.
        connection.execute("set search_path = public")
        connection.commit()
        found = connection.execute("select to_regnamespace('tenancy') is not null as is_there")
        if not (found.fetchone() or {})["is_there"]:
            raise TenantryError(
                "This database has no schema tenancy: push the migrations first."
            )
    except psycopg.Error as error:
        raise TenantryError(f"The database does not answer: {error}") from error
    return connection


def examine_catalog(connection: Connection) -> list[Problem]:
    """At one moment: what others create or delete meanwhile is all there, or not at all."""
    connection.rollback()
    connection.execute("set transaction isolation level repeatable read, read only")
    problems = list(chain.from_iterable(look(connection) for look in _EXAMINATIONS))
    connection.rollback()
    return problems
