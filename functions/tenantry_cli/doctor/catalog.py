"""The examinations of the catalog."""

from __future__ import annotations

from itertools import chain

import psycopg
from psycopg.rows import dict_row

from tenantry_cli.doctor.bypasses import examine_bypasses
from tenantry_cli.doctor.exposure import examine_exposure, examine_guard
from tenantry_cli.doctor.policies import (
    examine_changed_tables,
    examine_policies,
    examine_triggers,
)
from tenantry_cli.doctor.privileges import examine_system_privileges, examine_tenant_privileges
from tenantry_cli.doctor.problem import Connection, Problem, lasting_problems
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
    examine_bypasses,
)
# An examination fails if an object that it examines is deleted meanwhile.
_ATTEMPTS = 3


def connect(db_url: str) -> Connection:
    try:
        connection = psycopg.connect(db_url, row_factory=dict_row)
        # PostgreSQL prints names in policies as the search path requires.
        connection.execute("set search_path = public")
        connection.commit()
        found = connection.execute("select to_regnamespace('tenancy') is null as is_missing")
        if (found.fetchone() or {})["is_missing"]:
            raise TenantryError(
                "This database has no schema tenancy. Push the migrations first."
            )
    except psycopg.Error as error:
        raise TenantryError(f"The database does not answer: {error}") from error
    return connection


def examine_catalog(connection: Connection) -> list[Problem]:
    return lasting_problems(lambda: _examine(connection))


def _examine(connection: Connection) -> list[Problem]:
    """Runs all examinations in one snapshot.

    Catalog functions ignore the snapshot. They fail if an object of the snapshot was deleted.
    """
    for left in reversed(range(_ATTEMPTS)):
        try:
            connection.rollback()
            connection.execute("set transaction isolation level repeatable read, read only")
            return list(chain.from_iterable(examine(connection) for examine in _EXAMINATIONS))
        except psycopg.errors.InsufficientPrivilege as error:
            raise TenantryError(
                f"The database refuses the examination ({_first_line(error)}). Give a --db-url "
                "with the role postgres."
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
