"""One run: set the context, try everything, look at what was left behind, clear away."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from tenantry_cli.doctor.catalog import connect, examine_catalog
from tenantry_cli.errors import TenantryError
from tenantry_cli.proof.attempts import Attempt, Expected
from tenantry_cli.proof.environment import Environment, Leftovers
from tenantry_cli.proof.evidence import (
    Finding,
    Verdict,
    inspect_registry,
    inspect_rows,
    judge,
    unproved,
)
from tenantry_cli.proof.identities import (
    ADMIN,
    ADMIN_A,
    NOT_YET_REVOKED,
    READER,
    SERVICE,
    SUPER_ADMIN,
)
from tenantry_cli.proof.interruption import undisturbed
from tenantry_cli.proof.operations import OPERATIONS
from tenantry_cli.proof.plan import Plan, Selection
from tenantry_cli.proof.relations import RELATIONS
from tenantry_cli.proof.rules import Identity, State, Tenant
from tenantry_cli.proof.wire import Wire
from tenantry_cli.target import Target

_WORKERS = 8

Progress = Callable[[str, int, int], None]


@dataclass
class Result:
    attempts: int = 0
    seconds: float = 0.0
    # By (identity, group, expected).
    counts: Counter[tuple[str, str, Expected]] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    # What was made and could not be removed, though it should have been.
    remains: list[str] = field(default_factory=list)

    @property
    def is_proved(self) -> bool:
        return not self.findings

    def of(self, verdict: Verdict) -> list[Finding]:
        return [finding for finding in self.findings if finding.verdict is verdict]


def prove(
    target: Target,
    selection: Selection = Selection.FULL,
    progress: Progress = lambda stage, done, total: None,
) -> Result:
    """Runs the whole campaign; leaves nothing behind, also when it is interrupted. What it
    could not remove is in the result, or in the error after what led to it."""
    campaign = _Campaign(target, selection, progress)
    try:
        result = campaign.run()
        left = campaign.close()
    except BaseException as error:
        # Interrupted before it could close its ears, it did not begin to remove anything.
        if sentences := campaign.close().sentences:
            raise TenantryError("\n".join([_told(error), *sentences])) from error
        raise
    result.remains = left.failures
    result.notes += Leftovers(accounts=left.accounts).sentences
    return result


def _told(error: BaseException) -> str:
    if isinstance(error, TenantryError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted, and not everything that was made could be removed."
    return f"The proof broke off: {type(error).__name__}: {error}"


class _Campaign:
    def __init__(self, target: Target, selection: Selection, progress: Progress) -> None:
        self._environment = Environment(target)
        self._plan = Plan(self._environment, selection)
        self._wire = Wire(target.db_url, _WORKERS)
        self._progress = progress
        self._result = Result()
        self._succeeded: set[tuple[str, str, str]] = set()
        self._attempts: list[Attempt] = []

    def run(self) -> Result:
        began = time.monotonic()
        environment = self._environment
        environment.reach_everything()
        self._progress(f"making throw-away tenants and people of run {environment.run}", 0, 0)
        environment.make_people()
        environment.make_tenants()
        environment.place_people()
        self._progress("waiting until the Data API knows them", 0, 0)
        environment.wait_until_known()
        environment.fill(self._plan.sentinel_rows())

        for tenant in (environment.a, replace(environment.s, state=State.ACTIVE)):
            self._read(NOT_YET_REVOKED, tenant)
        environment.close_entry_points()
        self._try_everything(list(self._plan.attempts()))
        self._look_around()
        self._look_into_the_catalog()
        self._change_states()

        self._tell_what_was_not_tried()
        self._add(unproved(self._attempts, self._succeeded))
        self._result.seconds = time.monotonic() - began
        self._result.attempts = len(self._attempts)
        return self._result

    def close(self) -> Leftovers:
        with undisturbed():
            try:
                self._progress("removing what was made", 0, 0)
                return self._environment.remove()
            finally:
                self._wire.close()

    # Attempts -------------------------------------------------------------------------------

    def _try_everything(self, attempts: list[Attempt]) -> None:
        pool = ThreadPoolExecutor(_WORKERS)
        try:
            judged = pool.map(self._try, attempts)
            for done, _ in enumerate(judged, start=1):
                self._progress("trying", done, len(attempts))
        finally:
            pool.shutdown(cancel_futures=True)

    def _try(self, attempt: Attempt) -> None:
        reply = self._wire.send(attempt.what)
        if attempt.expected is Expected.ALLOWED and attempt.shows(reply):
            self._succeeded.add(attempt.twin)
        self._attempts.append(attempt)
        self._result.counts[(attempt.identity.name, attempt.group, attempt.expected)] += 1
        finding = judge(attempt, reply, self._environment)
        if finding is not None:
            self._add([finding])

    def _add(self, findings: Iterator[Finding] | list[Finding]) -> None:
        self._result.findings.extend(findings)

    # Afterwards -----------------------------------------------------------------------------

    def _look_around(self) -> None:
        self._progress("looking for traces of writes", 0, 0)
        self._look("public", lambda: inspect_registry(self._environment))
        for tenant in (self._environment.a, self._environment.b):
            self._look_at_rows(tenant)

    def _look_at_rows(self, tenant: Tenant) -> None:
        self._look(tenant.name, lambda: inspect_rows(self._environment, tenant, self._attempts))

    def _look(self, where: str, inspect: Callable[[], Iterator[Finding]]) -> None:
        """Where somebody has done real damage, there may be nothing left to look at."""
        try:
            self._add(list(inspect()))
        except TenantryError as error:
            self._add([Finding(Verdict.BROKEN_TWIN, f"it cannot be looked at: {error}", where)])

    def _look_into_the_catalog(self) -> None:
        if self._environment.target.db_url is None:
            self._result.notes.append("Without --db-url the catalog was not looked into.")
            return
        self._progress("looking into the catalog", 0, 0)
        with connect(self._environment.target.db_url) as connection:
            self._add(
                [
                    Finding(
                        Verdict.CATALOG, problem.sentence, problem.object, cure=problem.cure
                    )
                    for problem in examine_catalog(connection)
                ]
            )

    def _tell_what_was_not_tried(self) -> None:
        target = self._environment.target
        notes = self._result.notes
        if target.functions_url is None:
            notes.append("Without --functions-url the functions were not tried.")
        if target.jwt_secret is None:
            notes.append("Without --jwt-secret expired and unnamed tokens were not tried.")
        if target.postgrest_url is None:
            notes.append("Without --postgrest-url PostgREST's own port was not tried.")
        elif target.has_opaque_keys:
            notes.append(
                "PostgREST's own port was not tried: only a gateway knows sb_… keys. Give the "
                "legacy anon and service_role keys to try it too."
            )

    def _change_states(self) -> None:
        """What would have disturbed everything else: suspend, activate and delete for real."""
        a, s = self._environment.a, self._environment.s
        closed, opened = replace(a, state=State.SUSPENDED), replace(s, state=State.ACTIVE)
        everybody = (READER, ADMIN_A, SERVICE)

        self._operate(ADMIN, a, "suspend_tenant")
        self._read_all(everybody, closed)
        self._operate(ADMIN, a, "activate_tenant")
        self._read_all(everybody, a)

        # What was refused while it was suspended works again: it was the suspension.
        self._operate(ADMIN, s, "activate_tenant")
        self._read_all(everybody, opened)
        self._look_at_rows(s)
        self._operate(ADMIN, s, "suspend_tenant")
        self._read_all(everybody, s)

        self._operate(SUPER_ADMIN, s, "delete_tenant_schema")
        self._read_all(everybody, replace(s, state=State.MISSING))
        self._read_all(everybody, a)

    def _read_all(self, identities: tuple[Identity, ...], tenant: Tenant) -> None:
        for identity in identities:
            self._read(identity, tenant)

    def _read(self, identity: Identity, tenant: Tenant) -> None:
        notes = next(each for each in RELATIONS if each.name == "proof_notes")
        for entry_point in self._plan.entry_points:
            names = (tenant.name,)
            self._try(
                self._plan.row_attempt(
                    identity, tenant, notes, "GET", entry_point, "tables", names, names
                )
            )

    def _operate(self, identity: Identity, tenant: Tenant, name: str) -> None:
        # Through the last entry point alone: it takes effect, and the next would find it done.
        entry_point = self._plan.entry_points[-1]
        operation = replace(
            next(each for each in OPERATIONS if each.name == name), spare=lambda context: False
        )
        for attempt in self._plan.operation_attempts(identity, tenant, operation, entry_point):
            self._try(attempt)
