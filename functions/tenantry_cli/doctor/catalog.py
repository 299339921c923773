"""The checks of the catalog, which are SQL functions in the database: sql/50_checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

import psycopg
from psycopg.rows import dict_row

from tenantry_cli.database import NO_TENANTRY, open_database
from tenantry_cli.doctor.problem import Connection, Problem, lasting_problems
from tenantry_cli.doctor.release import examine_release
from tenantry_cli.errors import TenantryError, as_sentence

_TENANTS = "select t.schema_name from public.tenants t order by t.schema_name"
_PLATFORM = "select f.* from tenancy.platform_findings() f"
_TENANT = "select f.* from tenancy.tenant_findings(%s) f"
_TO_EXAMINE = "select n.schema_name from tenancy.tenants_to_examine(%s) n (schema_name)"
_REFERENCE = "tenant_template"
# The kind of the problem that the checks themselves fail.
BROKEN = "checks broken"
# A check fails if an object that it reads is deleted meanwhile.
_ATTEMPTS = 3
# Tenants compared in one statement, which takes about a second on a busy machine.
_PART = 100

_Result = TypeVar("_Result")


def connect(db_url: str) -> Connection:
    connection = open_database(db_url, row_factory=dict_row)
    try:
        found = connection.execute(
            "select to_regnamespace('tenancy') is null as is_missing, "
            "not has_schema_privilege(to_regnamespace('tenancy'), 'usage') as is_closed, "
            "not exists (select from pg_proc p where p.proname = 'release' "
            "and p.pronamespace = to_regnamespace('tenancy')) as is_older"
        ).fetchone() or {"is_missing": True}
        connection.rollback()
        if found["is_missing"]:
            raise TenantryError(NO_TENANTRY)
        if found["is_closed"]:
            raise _too_few_privileges(
                f"the role {connection.info.user} may not use the schema tenancy"
            )
        if found["is_older"]:
            raise TenantryError(
                "This database does not say which release of Tenantry it has: there is no "
                "function tenancy.release(). Push the migrations of this version first."
            )
    except psycopg.Error as error:
        connection.close()
        raise _failed(error) from error
    except TenantryError:
        connection.close()
        raise
    return connection


def examine_catalog(
    connection: Connection, report: Callable[[int, int], None] = lambda done, total: None
) -> list[Problem]:
    """The problems in the order of their repairs.

    `report` receives the number of examined tenants and the number of all.
    """
    released = lasting_problems(
        lambda: _in_one_snapshot(connection, lambda: examine_release(connection))
    )
    try:
        found = lasting_problems(partial(_check, connection, None))
        # A check says more about the same difference, and may have a repair.
        known = {problem.remediation for problem in found}
        found += [problem for problem in released if problem.remediation not in known]
        for tenant in _suspected_tenants(connection, report):
            found += lasting_problems(partial(_check, connection, tenant))
        found += lasting_problems(partial(_check, connection, _REFERENCE))
    except TenantryError as error:
        if not released:
            raise
        return [
            *released,
            Problem(
                BROKEN,
                "tenancy",
                f"{error} So nothing else was checked.",
                "Restore what is unlike the release, then run the doctor again.",
            ),
        ]
    return found


def _suspected_tenants(
    connection: Connection, report: Callable[[int, int], None]
) -> Iterator[str]:
    """The tenants that may have a problem: one statement clears a hundred others."""
    names = _tenants(connection)
    for start in range(0, len(names), _PART):
        report(start, len(names))
        yield from _part_to_examine(connection, names[start : start + _PART])
    report(len(names), len(names))


def _part_to_examine(connection: Connection, names: list[str]) -> list[str]:
    def suspected() -> list[str]:
        return [row["schema_name"] for row in connection.execute(_TO_EXAMINE, (names,))]

    try:
        return _in_one_snapshot(connection, suspected)
    except TenantryError:
        if connection.closed:
            raise
        # The check of each tenant says what is wrong.
        return names


def _tenants(connection: Connection) -> list[str]:
    try:
        names = [row["schema_name"] for row in connection.execute(_TENANTS)]
        connection.rollback()
    except psycopg.Error as error:
        raise _failed(error) from error
    return names


def _check(connection: Connection, tenant: str | None) -> list[Problem]:
    """Runs the checks of one tenant, or of the platform."""

    def findings() -> list[Problem]:
        rows = (
            connection.execute(_PLATFORM)
            if tenant is None
            else connection.execute(_TENANT, (tenant,))
        )
        return [Problem(**row, tenant=tenant) for row in rows]

    return _in_one_snapshot(connection, findings)


def _in_one_snapshot(connection: Connection, examine: Callable[[], _Result]) -> _Result:
    """Repeats what failed: catalog functions ignore the snapshot, so they fail if an object
    of the snapshot was deleted.
    """
    for left in reversed(range(_ATTEMPTS)):
        try:
            connection.rollback()
            connection.execute("set transaction isolation level repeatable read, read only")
            return examine()
        except psycopg.Error as error:
            refused = isinstance(error, psycopg.errors.InsufficientPrivilege)
            if refused or not left or connection.closed:
                raise _failed(error) from error
        finally:
            if not connection.closed:
                connection.rollback()
    raise AssertionError


def _failed(error: psycopg.Error) -> TenantryError:
    message = (error.diag.message_primary or str(error)).splitlines()[0]
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return _too_few_privileges(message)
    return TenantryError(f"The database cannot be examined: {as_sentence(message)}")


def _too_few_privileges(message: str) -> TenantryError:
    return TenantryError(
        f"The database refuses the examination ({message}). Give a --db-url with the role "
        "postgres."
    )
