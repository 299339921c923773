"""One run: create the environment, make all attempts, inspect their effects, remove it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from tenantry_cli.doctor.catalog import connect, examine_catalog
from tenantry_cli.errors import TenantryError
from tenantry_cli.proof.attempts import Attempt, Expected
from tenantry_cli.proof.catalog import inspect_catalog
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
    COVERING,
    DOMAIN_USER,
    INTRUDING,
    NOT_YET_BANNED,
    NOT_YET_BANNED_STAFF,
    NOT_YET_DELETED,
    NOT_YET_REVOKED,
    READER,
    SERVICE,
    SUPER_ADMIN,
    SUPPORT_NOT_YET_ENDED,
)
from tenantry_cli.proof.interruption import undisturbed
from tenantry_cli.proof.joining import joining_attempts
from tenantry_cli.proof.operations import EXCESSES, OPERATIONS
from tenantry_cli.proof.plan import Plan, Selection
from tenantry_cli.proof.relations import RELATIONS
from tenantry_cli.proof.rules import Identity, State, Tenant
from tenantry_cli.proof.traces import (
    GROUP,
    LONG_AGO,
    Trace,
    a_second_ago,
    changes_of_the_log,
    inspect_actions,
    inspect_changes,
)
from tenantry_cli.proof.transport import Transport, is_overload, overloaded
from tenantry_cli.target import Target

_WORKERS = 8
_SHOWN_PATHS = 10

Progress = Callable[[str, int, int], None]


@dataclass
class Result:
    attempts: int = 0
    seconds: float = 0.0
    # The number of attempts by identity, group and expected result.
    counts: Counter[tuple[str, str, Expected]] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    # What could not be removed.
    remains: list[str] = field(default_factory=list)

    @property
    def is_proved(self) -> bool:
        return not self.findings

    def with_verdict(self, verdict: Verdict) -> list[Finding]:
        return [finding for finding in self.findings if finding.verdict is verdict]


def prove(
    target: Target,
    selection: Selection = Selection.FULL,
    progress: Progress = lambda step, done, total: None,
    *,
    keeps_accounts: bool = False,
) -> Result:
    """Runs the whole campaign, and removes everything that it created, even if interrupted.

    `keeps_accounts` leaves the accounts that the project does not allow to delete. If something
    cannot be removed, the result names it, or the error does.
    """
    campaign = _Campaign(
        Environment(target, keeps_accounts=keeps_accounts), selection, progress
    )
    try:
        result = campaign.run()
        left = campaign.close()
    except BaseException as error:
        # Signals are ignored during the removal. If one came before, nothing was removed yet.
        if sentences := campaign.close().sentences:
            raise TenantryError("\n".join([_error_sentence(error), *sentences])) from error
        raise
    result.remains += left.failures
    result.notes += left.notes
    return result


def _error_sentence(error: BaseException) -> str:
    if isinstance(error, TenantryError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted. Some of the created objects could not be removed."
    return f"The proof failed: {type(error).__name__}: {error}"


class _Campaign:
    def __init__(
        self, environment: Environment, selection: Selection, progress: Progress
    ) -> None:
        self._environment = environment
        self._plan = Plan(self._environment, selection)
        self._transport = Transport(environment.target.db_url)
        self._progress = progress
        self._result = Result()
        self._succeeded: set[tuple[str, str, str]] = set()
        self._attempts: list[Attempt] = []

    def run(self) -> Result:
        began = time.monotonic()
        environment = self._environment
        environment.check_connections()
        environment.check_accounts()
        self._progress("removing what killed runs have left", 0, 0)
        self._note_remains(environment.remove_leftovers())
        self._progress(f"creating tenants and users of run {environment.run.id}", 0, 0)
        # First: by its tenants a later run finds what this one has left.
        environment.create_tenants()
        environment.create_users()
        environment.assign_permissions()
        self._progress("waiting until the Data API knows the tenants", 0, 0)
        environment.wait_until_known()
        environment.insert_markers(self._plan.sentinel_rows())

        for tenant in (environment.a, replace(environment.s, state=State.ACTIVE)):
            self._read_all((NOT_YET_REVOKED, SUPPORT_NOT_YET_ENDED), tenant)
        for tenant in (environment.a, environment.b):
            self._read_all((NOT_YET_BANNED, NOT_YET_DELETED), tenant)
        self._operate(NOT_YET_BANNED_STAFF, environment.a, "get_tenant_info")
        environment.revoke_and_suspend()
        environment.deactivate_users()
        self._try_all(list(self._plan.attempts()))
        self._exceed_limits()
        self._join()
        self._cover_tracks()
        self._inspect_effects()
        self._inspect_catalog()
        self._change_states()
        self._inspect_actions()

        self._note_omissions()
        self._add(unproved(self._attempts, self._succeeded))
        self._result.seconds = time.monotonic() - began
        self._result.attempts = len(self._attempts)
        # Not during the attempts: threads that count at the same time lose some.
        self._result.counts = Counter(
            (attempt.identity.name, attempt.group, attempt.expected)
            for attempt in self._attempts
        )
        return self._result

    def close(self) -> Leftovers:
        with undisturbed():
            try:
                self._progress("removing tenants and users", 0, 0)
                return self._environment.remove()
            finally:
                self._transport.close()
                self._environment.close()

    # Attempts -------------------------------------------------------------------------------

    def _try_all(self, attempts: list[Attempt]) -> None:
        pool = ThreadPoolExecutor(_WORKERS)
        try:
            judged = pool.map(self._try, attempts)
            for done, _ in enumerate(judged, start=1):
                self._progress("trying", done, len(attempts))
        finally:
            pool.shutdown(cancel_futures=True)

    def _try(self, attempt: Attempt) -> None:
        reply = self._transport.send(attempt.what)
        if is_overload(reply.status, reply.text):
            raise overloaded(attempt.what.describe()["url"], reply.status)
        if attempt.expected is Expected.ALLOWED and attempt.shows(reply):
            self._succeeded.add(attempt.positive_control)
        self._attempts.append(attempt)
        finding = judge(attempt, reply, self._environment)
        if finding is not None:
            self._add([finding])

    def _add(self, findings: Iterator[Finding] | list[Finding]) -> None:
        self._result.findings.extend(findings)

    # Effects --------------------------------------------------------------------------------

    def _inspect_effects(self) -> None:
        self._progress("inspecting rows", 0, 0)
        self._inspect("public", lambda: inspect_registry(self._environment))
        for tenant in (self._environment.a, self._environment.b):
            self._inspect_rows(tenant)
            self._inspect(
                tenant.name, partial(inspect_changes, self._environment, tenant, self._attempts)
            )

    def _inspect_actions(self) -> None:
        environment = self._environment
        ids, a, s = environment.ids, environment.a.name, environment.s.name
        # The entries of a tenant have to outlive the tenant.
        done: tuple[Trace, ...] = (
            ("tenant.suspend", a, None, ids[ADMIN]),
            ("tenant.activate", s, None, ids[ADMIN]),
            ("tenant.delete", s, None, ids[SUPER_ADMIN]),
            ("access.join", a, ids[DOMAIN_USER], ids[DOMAIN_USER]),
            ("support.open", a, ids[COVERING], ids[COVERING]),
            ("support.close", a, ids[COVERING], ids[COVERING]),
        )
        self._inspect("public", lambda: inspect_actions(environment, *done))

    def _inspect_rows(self, tenant: Tenant) -> None:
        self._inspect(
            tenant.name, lambda: inspect_rows(self._environment, tenant, self._attempts)
        )

    def _inspect(self, where: str, inspect: Callable[[], Iterator[Finding] | None]) -> None:
        """Reports what cannot be inspected: an attempt may have deleted it."""
        try:
            self._add(list(inspect() or ()))
        except TenantryError as error:
            self._add(
                [Finding(Verdict.FAILED_CONTROL, f"it cannot be inspected: {error}", where)]
            )

    def _inspect_catalog(self) -> None:
        if self._environment.target.db_url is None:
            self._result.notes.append(
                "Without --db-url, the catalog was not inspected or compared with the release."
            )
            return
        self._progress("inspecting the catalog", 0, 0)
        # The run has granted these, which no migration declares, to try them.
        granted = {
            f"{tenant.name}.proof_invoker_function()" for tenant in self._environment.made
        }
        with connect(self._environment.target.db_url) as connection:
            self._add(
                [
                    Finding(
                        Verdict.CATALOG,
                        problem.detail,
                        problem.object,
                        remediation=problem.remediation,
                    )
                    for problem in examine_catalog(connection)
                    if not problem.is_warning and problem.object not in granted
                ]
            )
            self._add(list(inspect_catalog(connection)))

    def _note_remains(self, left: Leftovers) -> None:
        """What killed runs have left, as far as it could not be removed."""
        self._result.remains += left.failures
        self._result.notes += left.notes
        if self._environment.removed:
            self._result.notes.append(
                "What these runs had left, which were killed, was removed: "
                f"{', '.join(self._environment.removed)}."
            )

    def _note_omissions(self) -> None:
        target = self._environment.target
        notes = self._result.notes
        if not self._plan.is_full:
            notes.append(
                "One entry point and the most used verbs were tried. --full tries all of them, "
                "every operation by every identity, the functions and a missing tenant, too."
            )
        if own := sorted(self._environment.open_paths):
            notes.append(
                "Anybody sees these functions and tables of your own in public, which the "
                f"proof does not judge: {', '.join(own[:_SHOWN_PATHS])}"
                f"{' …' if own[_SHOWN_PATHS:] else ''}"
            )
        if not self._environment.has_inactive_users:
            notes.append(
                "Without --db-url and without an admin API of Auth, banned and soft-deleted "
                "users were not tried."
            )
        if not self._environment.has_sql:
            notes.append("Without --db-url, a user with an unconfirmed address was not tried.")
        if target.functions_url is None:
            notes.append("Without --functions-url, the functions were not tried.")
        if target.jwt_secret is None:
            notes.append(
                "Without --jwt-secret, expired tokens and tokens without a user were not tried."
            )
        if target.postgrest_url is None:
            notes.append("Without --postgrest-url, the port of PostgREST was not tried.")
        elif target.has_opaque_keys:
            notes.append(
                "The port of PostgREST was not tried: only a gateway accepts sb_… keys. Give "
                "the legacy anon and service_role keys to try it too."
            )

    def _exceed_limits(self) -> None:
        # Only one who may create tables comes to the limits.
        for operation in EXCESSES:
            for attempt in self._plan.operation_attempts(
                ADMIN_A, self._environment.a, operation, self._plan.entry_points[-1]
            ):
                self._try(attempt)

    def _join(self) -> None:
        """Users join a tenant by the domain of their address, or request access."""
        self._progress("joining", 0, 0)

        def try_all() -> None:
            for attempt in joining_attempts(self._environment, self._plan):
                self._try(attempt)

        self._inspect(self._environment.a.name, try_all)

    def _cover_tracks(self) -> None:
        """Staff open support access, use it, and try to remove what the logs say of them."""
        self._progress("covering tracks", 0, 0)
        environment, plan = self._environment, self._plan
        a, own_id = environment.a, environment.ids[COVERING]
        entry_point = plan.entry_points[-1]
        relations = {relation.name: relation for relation in RELATIONS}

        def try_rows(identity: Identity, name: str, *verbs: str) -> None:
            for verb in verbs:
                names = (a.name,)
                self._try(
                    plan.row_attempt(
                        identity, a, relations[name], verb, entry_point, GROUP, names, names
                    )
                )

        def call(identity: Identity, name: str, *, may: bool = True, **arguments: Any) -> None:
            self._try(plan.call_attempt(identity, a, name, GROUP, may, **arguments))

        try_rows(COVERING, "proof_notes", "GET")
        call(COVERING, "open_support_access", reason="Covering tracks.", access_level="admin")
        try_rows(INTRUDING, "proof_notes", "GET", "POST")
        try_rows(INTRUDING, "audit_log", "GET", "POST", "PATCH", "DELETE")
        call(INTRUDING, "redact_audit_log", user_id=own_id)
        call(INTRUDING, "close_support_access")
        try_rows(COVERING, "proof_notes", "GET")
        call(COVERING, "prune_audit_log", before=LONG_AGO)
        if environment.has_retention:
            call(COVERING, "prune_audit_log", may=False, before=a_second_ago())
            # If it were permitted, it must not remove entries of the project.
            for identity, may in ((COVERING, False), (SUPER_ADMIN, True)):
                self._try(
                    plan.call_attempt(
                        identity, None, "prune_audit_log", GROUP, may, before=LONG_AGO
                    )
                )

        if environment.has_sql:
            self._inspect(a.name, lambda: self._change_log(a))

    def _change_log(self, tenant: Tenant) -> None:
        sealed = self._environment.rpc("seal_audit_log", schema_name=tenant.name)
        if sealed["sealed_total"]:
            for attempt in changes_of_the_log(self._environment, tenant):
                self._try(attempt)
        else:
            self._result.notes.append(
                "A long transaction keeps audit logs from being sealed, so changes of entries "
                "were not tried."
            )

    def _change_states(self) -> None:
        """Suspends, activates and deletes tenants, which would disturb all other attempts."""
        a, s = self._environment.a, self._environment.s
        closed, opened = replace(a, state=State.SUSPENDED), replace(s, state=State.ACTIVE)
        identities = (READER, ADMIN_A, SERVICE)

        self._operate(ADMIN, a, "suspend_tenant")
        self._read_all(identities, closed)
        self._operate(ADMIN, a, "activate_tenant")
        self._read_all(identities, a)

        # The positive control of the attempts that were refused because of the suspension.
        self._operate(ADMIN, s, "activate_tenant")
        self._read_all(identities, opened)
        self._inspect_rows(s)
        self._operate(ADMIN, s, "suspend_tenant")
        self._read_all(identities, s)

        self._operate(SUPER_ADMIN, s, "delete_tenant_schema")
        self._read_all(identities, replace(s, state=State.MISSING))
        self._read_all(identities, a)

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
        # Only one entry point, because a second one would have no effect.
        entry_point = self._plan.entry_points[-1]
        operation = replace(
            next(each for each in OPERATIONS if each.name == name),
            is_left_out=lambda context: False,
        )
        for attempt in self._plan.operation_attempts(identity, tenant, operation, entry_point):
            self._try(attempt)
