"""One run of `tenantry migrate`: which tenant receives what, and when."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import Progress

from tenantry_cli.data_api import SHORT_SECONDS, DataApi, RefusedError, UnansweredError
from tenantry_cli.long_tenant import LongTenant
from tenantry_cli.pace import Pace
from tenantry_cli.progress import progress_bar

if TYPE_CHECKING:
    from tenantry_cli.phase_session import PhaseSession

# How long others may keep the Data API from serving anybody.
_PATIENCE_SECONDS = 900
_PAUSE_SECONDS = 5
# Builds of one index that are cancelled, and batches that meet locked rows.
_ATTEMPTS = 3
_LOCKED_ATTEMPTS = 120


@dataclass(frozen=True)
class Failure:
    schema_name: str
    version: str | None
    sqlstate: str | None
    message: str | None
    # By the batches of a backfill, which were committed before it failed.
    rows_changed: int = 0


@dataclass
class Report:
    """The result of a run; its fields are the keys of `--json`."""

    latest_version: str
    tenants: int = 0
    migrated: list[str] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    # Tenants that failed in an earlier run and were not tried in this one.
    skipped: list[Failure] = field(default_factory=list)
    not_started: list[str] = field(default_factory=list)
    # Tenants that somebody else deleted during this run.
    deleted: list[str] = field(default_factory=list)
    migrations_applied: int = 0
    # Rows that backfills have changed.
    rows_changed: int = 0
    seconds: float = 0
    # Why the run ended before all tenants were tried.
    ended_by: str | None = None

    @property
    def is_complete(self) -> bool:
        return not (self.failed or self.skipped or self.not_started or self.ended_by)


class RollOut:
    """Migrates tenants: many at once, and then, one at a time, those that take longer."""

    def __init__(
        self,
        api: DataApi,
        session: PhaseSession | None,
        report: Report,
        workers: int,
        stop_on_error: bool,
        console: Console,
    ) -> None:
        self._api = api
        self._session = session if session is not None and session.is_needed() else None
        self._report = report
        self._workers = workers
        self._stop_on_error = stop_on_error
        self._console = console
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._pace = Pace(api, self._stop, self._say)
        # Tenants with a long phase, such as a backfill of many rows.
        self._long: list[str] = []

    @property
    def has_stopped(self) -> bool:
        return self._stop.is_set()

    def run(self, names: Sequence[str], canary: int) -> None:
        started = time.monotonic()
        progress = progress_bar(self._console, is_shown=bool(names))
        # In a second round these tenants are behind again.
        self._report.migrated = [each for each in self._report.migrated if each not in names]
        try:
            with progress:
                task = progress.add_task("Migrating", total=len(names))
                if canary and names:
                    self._say(f"Canaries: {', '.join(names[:canary])}.")
                for group in filter(None, (names[:canary], names[canary:])):
                    self._all(group, lambda: progress.advance(task))
                    self._long_ones(progress)
                    # The other tenants are migrated only if all canaries succeeded.
                    if canary and self._report.failed:
                        self._stop.set()
                        break
        finally:
            settled = {
                *self._report.migrated,
                *self._report.deleted,
                *(failure.schema_name for failure in self._report.failed),
            }
            self._report.not_started = [name for name in names if name not in settled]
            self._report.seconds = round(self._report.seconds + time.monotonic() - started, 3)

    def _all(self, names: Iterable[str], advance: Callable[[], None]) -> None:
        """Returns, or raises, when no migration runs any more."""
        with ThreadPoolExecutor(self._workers) as pool:
            futures = [pool.submit(self._tenant, name) for name in names]
            try:
                for future in as_completed(futures):
                    future.result()
                    advance()
            except BaseException:
                # On Ctrl-C the running migrations finish, and no other starts.
                self._stop.set()
                raise

    def _tenant(self, name: str) -> None:
        """Migrates the tenant, up to the first phase that takes longer than a call."""
        pending = 1
        while pending and not self._stop.is_set():
            self._pace.wait_until_served()
            if self._session is not None and self._session.next_phase(name).needs_session:
                self._postpone(name)
                return
            try:
                result = self._call(name)
            except UnansweredError:
                self._stop.set()
                raise
            if result is None:
                return
            if result["outcome"] == "in_progress":
                self._postpone(name)
                return
            pending = result["pending"]
        if not pending:
            with self._lock:
                self._report.migrated.append(name)

    def _postpone(self, name: str) -> None:
        with self._lock:
            self._long.append(name)

    def _long_ones(self, progress: Progress) -> None:
        """Their batches and builds take turns: each of them needs a processor."""
        names, self._long = sorted(self._long), []
        for name in names:
            if self._stop.is_set():
                return
            row = LongTenant(name, progress, self._say)
            try:
                self._long_one(name, row)
            finally:
                row.remove()

    def _long_one(self, name: str, row: LongTenant) -> None:
        pending, builds, waits = 1, 0, 0
        while pending and not self._stop.is_set():
            phase = self._session.next_phase(name) if self._session is not None else None
            if self._session and phase and phase.build_index and builds < _ATTEMPTS:
                builds += 1
                row.say(f"building an index ({phase.version})")
                failure = self._session.build_index(name, self._stop)
                if failure is not None:
                    self._fail(Failure(name, phase.version, failure.sqlstate, failure.message))
                    return
                continue
            begun = time.monotonic()
            limit = phase.limit_seconds if phase is not None else None
            result = self._call(name, limit)
            if result is None:
                return
            pending = result["pending"]
            if result["outcome"] == "in_progress":
                row.show(result)
                # Another session holds rows of the batch.
                waits = 0 if row.has_advanced else waits + 1
                if waits > _LOCKED_ATTEMPTS:
                    self._fail(
                        Failure(
                            name,
                            result["version"],
                            "55P03",
                            "Rows stay locked.",
                            result["rows_done"],
                        )
                    )
                    return
                self._pace.after_batch(time.monotonic() - begun)
        if not pending:
            with self._lock:
                self._report.migrated.append(name)

    def _call(self, name: str, limit_seconds: int | None = None) -> dict[str, Any] | None:
        """The result of the next step, or None if the tenant has no other step in this run."""
        result: dict[str, Any]
        try:
            if self._session and limit_seconds is not None and limit_seconds > SHORT_SECONDS:
                result = self._session.migrate(name, limit_seconds)
            else:
                result = self._patiently(name)
        except RefusedError as error:
            if error.code == "tenant_not_found":
                with self._lock:
                    self._report.deleted.append(name)
            else:
                self._fail(Failure(name, None, error.code, str(error)))
            return None
        if result["outcome"] == "failed":
            self._fail(
                Failure(
                    name,
                    result["version"],
                    result["sqlstate"],
                    result["message"],
                    result["rows_done"] or 0,
                )
            )
            return None
        with self._lock:
            if result["outcome"] == "migrated":
                self._report.migrations_applied += 1
                self._report.rows_changed += result.get("rows_done") or 0
        return result

    def _patiently(self, name: str) -> dict[str, Any]:
        """Waits while the Data API serves nobody, which another one may have caused."""
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                result: dict[str, Any] = self._api.call("migrate_tenant", schema_name=name)
                return result
            except UnansweredError as error:
                if (
                    error.status != HTTPStatus.SERVICE_UNAVAILABLE
                    or time.monotonic() > give_up
                    or self._stop.is_set()
                ):
                    raise
                self._say("The Data API serves nobody (503): waiting.")
                self._stop.wait(_PAUSE_SECONDS)

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def _fail(self, failure: Failure) -> None:
        with self._lock:
            self._report.failed.append(failure)
        if self._stop_on_error:
            self._stop.set()
