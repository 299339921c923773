"""Copies, verifies and deletes the rows, tenant by tenant and batch by batch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tenantry_cli.errors import TenantryError
from tenantry_cli.splitting.plan import Database
from tenantry_cli.splitting.report import Part, Report, Result

# How long a batch waits for a tenant that somebody else changes, or for writers of the source.
_BUSY_SECONDS = 30
_PAUSE_SECONDS = 0.5
# The error "busy"; and the snapshot of a batch is too old for a row that it meets.
_BUSY = ("PT429", "40001")


@dataclass(frozen=True)
class Options:
    column: str
    batch_size: int
    accepts_changes: bool
    verifies: bool
    deletes: bool


class Run:
    """One run. Each call is a transaction of its own, so that a stopped run goes on later."""

    def __init__(
        self,
        database: Database,
        report: Report,
        options: Options,
        show: Callable[[int, int], object],
    ) -> None:
        """`show` is called with the rows that came, and the number of tenants that are done."""
        self._database = database
        self._report = report
        self._options = options
        self._show = show
        self._done = 0

    def run(self) -> None:
        for result in self._report.tenants:
            self._attempt(result, self._move)
            self._done += 1
            self._show(0, self._done)
        if self._options.deletes:
            for result in self._report.tenants:
                if result.error is None:
                    self._attempt(result, self._delete)

    def _attempt(self, result: Result, step: Callable[[Result], None]) -> None:
        """A tenant that fails keeps no other tenant waiting."""
        try:
            step(result)
        except psycopg.Error as error:
            if self._database.closed:
                raise TenantryError(f"The connection is lost ({_reason(error)})") from error
            result.error = _reason(error)

    def _move(self, result: Result) -> None:
        for part in result.tables:
            before = 0
            while part.state in (None, "copying"):
                row = self._call(
                    "select state, rows_copied"
                    " from tenancy.copy_split_batch(%s, %s, %s, %s, %s)",
                    part.table,
                    *self._of(result),
                    self._options.batch_size,
                    # A row and the row that it references have to be seen together.
                    level="repeatable read",
                )[0]
                part.state, part.rows_copied = row["state"], row["rows_copied"]
                self._show(part.rows_copied - before, self._done)
                before = part.rows_copied
        if self._options.verifies:
            self._verify(result)

    def _verify(self, result: Result) -> None:
        rows = self._call(
            "select relation::text, state, row_count, rows_copied, clashing_count,"
            " changed_count, changed_columns, kept_count, checksum"
            " from tenancy.verify_split(%s::regclass[], %s, %s, %s, %s)",
            [part.table for part in result.tables],
            *self._of(result),
            self._options.accepts_changes,
        )
        for part, row in zip(result.tables, rows, strict=True):
            part.state, part.rows = row["state"], row["row_count"]
            part.rows_copied, part.checksum = row["rows_copied"], row["checksum"]
            part.clashing, part.changed = row["clashing_count"], row["changed_count"]
            part.changed_columns = row["changed_columns"] or []
            part.kept = row["kept_count"]
        result.error = (
            " ".join(_difference(part) for part in result.tables if part.state != "verified")
            or None
        )

    def _delete(self, result: Result) -> None:
        # Rows that reference others go first.
        for part in reversed(result.tables):
            after: list[str] | None = None
            deleted_in_pass = 0
            # A row that is referenced by rows of its own table goes in a later pass than they.
            while after is not None or deleted_in_pass or part.left is None:
                if after is None:
                    deleted_in_pass = 0
                row = self._call(
                    "select rows_deleted, rows_left, last_key"
                    " from tenancy.delete_split_batch(%s, %s, %s, %s, %s, %s)",
                    part.table,
                    *self._of(result),
                    after,
                    self._options.batch_size,
                )[0]
                after, part.left = row["last_key"], row["rows_left"]
                deleted_in_pass += row["rows_deleted"]
                part.deleted += row["rows_deleted"]
                if part.left == 0:
                    break

    def _of(self, result: Result) -> tuple[str, str, str]:
        return self._options.column, result.value, result.schema_name

    def _call(
        self, query: str, *values: Any, level: str = "read committed"
    ) -> list[dict[str, Any]]:
        deadline = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                with (
                    self._database.transaction(),
                    self._database.cursor(row_factory=dict_row) as cursor,
                ):
                    cursor.execute(f"set transaction isolation level {level}".encode())
                    cursor.execute(query.encode(), values)
                    return cursor.fetchall()
            except psycopg.Error as error:
                if error.sqlstate not in _BUSY or time.monotonic() > deadline:
                    raise
            time.sleep(_PAUSE_SECONDS)


def _difference(part: Part) -> str:
    sentences = []
    if part.clashing:
        sentences.append(
            f"{_rows(part.clashing)} of {part.table} cannot be copied: the tenant has other "
            "rows with such keys, or a trigger of its table refuses them. Change these rows "
            "here or there."
        )
    if part.changed:
        columns = (
            f" (columns {', '.join(part.changed_columns)})" if part.changed_columns else ""
        )
        sentences.append(
            f"{_rows(part.changed)} of {part.table} differ from the source{columns}: a "
            "trigger or the tenant has changed or deleted the copies. Look at them; "
            "--accept-changes accepts them."
        )
    return " ".join(sentences)


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _reason(error: psycopg.Error) -> str:
    message = error.diag.message_primary or str(error).strip()
    if error.sqlstate in _BUSY:
        return (
            "Others change the tenant, or use the source, all the time. Run the command again "
            "when they have ended."
        )
    details = [message if message.endswith(".") else f"{message}."]
    details += filter(None, (error.diag.message_detail, error.diag.message_hint))
    return " ".join(details)
