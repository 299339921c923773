"""All that the catalog alone can tell."""

from __future__ import annotations

from itertools import chain

import psycopg
from psycopg.rows import dict_row

from tenantry_cli.doctor.exposure import examine_exposure, examine_guard
from tenantry_cli.doctor.openings import examine_openings
from tenantry_cli.doctor.policies import (
    examine_changed_tables,
    examine_policies,
    examine_triggers,
)
from tenantry_cli.doctor.privileges import examine_system_privileges, examine_tenant_privileges
from tenantry_cli.doctor.problem import Connection, Problem, lasting
from tenantry_cli.doctor.tables import examine_tables
from tenantry_cli.errors import TenantryError

_EXAMINATIONS = (
    examine_exposure,
    examine_guard,
    examine_tables,
    examine_tenant_privileges,
    examine_system_privileges,
    examine_policies,
    examine_triggers,
    examine_changed_tables,
    examine_openings,
)
# Of an examination that something was deleted under.
_TRIES = 3


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
    return lasting(lambda: _examine(connection))


def _examine(connection: Connection) -> list[Problem]:
    """At one moment: what others create or delete meanwhile is all there, or not at all. That
    holds for tables; a function that asks the catalog sees the present one, and may then look
    for what is gone."""
    for left in reversed(range(_TRIES)):
        try:
            connection.rollback()
            connection.execute("set transaction isolation level repeatable read, read only")
            return list(chain.from_iterable(look(connection) for look in _EXAMINATIONS))
        except psycopg.errors.InsufficientPrivilege as error:
            raise TenantryError(
                f"The database refuses to be examined ({_first_line(error)}): give --db-url of "
                "the role postgres."
            ) from error
        except psycopg.Error as error:
            if not left or connection.closed:
                raise TenantryError(
                    f"The database cannot be examined: {_first_line(error)}"
                ) from error
        finally:
            if not connection.closed:
                connection.rollback()
    raise AssertionError


def _first_line(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error)).splitlines()[0]
