"""What only a session of the database can do for a tenant: build an index while its table is
written, and give a migration more time than the Data API does."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row, dict_row
from psycopg.sql import SQL

from tenantry_cli.data_api import SHORT_SECONDS, UnansweredError
from tenantry_cli.database import open_database
from tenantry_cli.errors import TenantryError

# Errors that another attempt may not meet.
_PASSING = (
    psycopg.errors.QueryCanceled,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.LockNotAvailable,
)
_BUILDING = "hashtextextended('tenancy.building_index.' || %s, 0)"
# A suspension or deletion of the tenant cancels the sessions that hold this lock.
_CHANGING = "hashtextextended('tenancy.changing.' || %s, 0)"


@dataclass(frozen=True)
class NextPhase:
    """What a tenant receives next, as `tenancy.next_phase` says it."""

    version: str | None
    phase: str | None
    limit_seconds: int | None
    search_path: str
    build_index: str | None
    drop_index: str | None

    @property
    def needs_session(self) -> bool:
        return self.build_index is not None or (self.limit_seconds or 0) > SHORT_SECONDS


@dataclass(frozen=True)
class BuildFailure:
    """Why an index could not be built, without values of the tenant."""

    sqlstate: str | None
    message: str


class PhaseSession:
    """One session of the database, for one tenant at a time."""

    def __init__(self, db_url: str) -> None:
        self._db_url = db_url
        self._connection: psycopg.Connection[Any] | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def is_needed(self) -> bool:
        """Whether a registered migration may need the session in some tenant."""
        [(needed,)] = self._execute(
            "select exists (select from tenancy.tenant_migrations m"
            " where m.phase = 'index' or m.limit_seconds > %s)",
            (SHORT_SECONDS,),
        ).fetchall()
        return bool(needed)

    def next_phase(self, schema_name: str) -> NextPhase:
        with self._lock:
            cursor = self._opened().cursor(row_factory=class_row(NextPhase))
            try:
                cursor.execute("select * from tenancy.next_phase(%s)", (schema_name,))
            except psycopg.OperationalError as error:
                raise _lost(error) from None
            [phase] = cursor.fetchall()
            return phase

    def build_index(self, schema_name: str, stop: threading.Event) -> BuildFailure | None:
        """Builds the next index of the tenant, while the table is written.

        Returns why it failed. Two runs take turns."""
        self._execute("select set_config('statement_timeout', '0', false)")
        while not self._is_first(schema_name):
            if stop.wait(1):
                return None
        try:
            self._execute(f"select pg_advisory_lock_shared({_CHANGING})", (schema_name,))
            phase = self.next_phase(schema_name)
            if phase.build_index is None:
                return None
            if phase.drop_index is not None:
                self._execute(phase.drop_index)
            self._execute("select set_config('search_path', %s, false)", (phase.search_path,))
            try:
                self._execute(phase.build_index)
            except _PASSING:
                return None
            except psycopg.Error as error:
                return self._record(schema_name, phase, error)
            return None
        finally:
            if self._connection is not None and not self._connection.closed:
                self._execute("select set_config('search_path', '', false)")
                self._execute("select pg_advisory_unlock_all()")

    def migrate(self, schema_name: str, limit_seconds: int) -> dict[str, Any]:
        """The result of migrate_tenant, which may take so long."""
        with self._lock:
            connection = self._opened()
            connection.execute(
                "select set_config('statement_timeout', %s, false)", (f"{limit_seconds}s",)
            )
            cursor = connection.cursor(row_factory=dict_row)
            try:
                cursor.execute(
                    "select to_jsonb(r) as result from public.migrate_tenant(%s) r",
                    (schema_name,),
                )
            except psycopg.OperationalError as error:
                raise _lost(error) from None
            result: dict[str, Any] = cursor.fetchall()[0]["result"]
            return result

    def _is_first(self, schema_name: str) -> bool:
        [(first,)] = self._execute(
            f"select pg_try_advisory_lock({_BUILDING})", (schema_name,)
        ).fetchall()
        return bool(first)

    def _record(self, schema_name: str, phase: NextPhase, error: psycopg.Error) -> BuildFailure:
        [(message,)] = self._execute(
            "select tenancy.failure_message(%s, %s, %s, %s, %s)",
            (
                error.sqlstate,
                error.diag.message_primary or str(error),
                error.diag.message_detail,
                error.diag.table_name or "",
                error.diag.constraint_name or "",
            ),
        ).fetchall()
        self._execute(
            "select tenancy.record_failed_migration(t.schema_name, %s, %s, %s)"
            " from public.tenants t where t.schema_name = %s",
            (phase.version, error.sqlstate, message, schema_name),
        )
        return BuildFailure(error.sqlstate, message)

    def _execute(
        self, statement: str, values: tuple[Any, ...] | None = None
    ) -> psycopg.Cursor[Any]:
        with self._lock:
            try:
                return self._opened().execute(SQL(statement), values)
            except psycopg.OperationalError as error:
                if self._connection is None or not self._connection.closed:
                    raise
                raise _lost(error) from None

    def _opened(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = open_database(self._db_url, autocommit=True)
        return self._connection


def _lost(error: psycopg.OperationalError) -> TenantryError:
    return UnansweredError(
        f"The session of the database has ended: {str(error).splitlines()[0]}"
    )
