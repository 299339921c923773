"""The findings: judges the replies to attempts, and their effects on rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from tenantry_cli.http_client import BUSY_STATUSES
from tenantry_cli.proof.attempts import Attempt, Expected
from tenantry_cli.proof.environment import GRANTS, STAFF, SUPPORT_ACCESS, Environment
from tenantry_cli.proof.identities import EXPIRED, REVOKED, SUPPORT, SUPPORT_EXPIRED
from tenantry_cli.proof.relations import WRITABLE
from tenantry_cli.proof.rules import Tenant, Visibility, may_see
from tenantry_cli.proof.transport import Reply

_EXCERPT = 400


class Verdict(Enum):
    # An identity had access that the rules refuse.
    LEAK = "leak"
    # An attempt that the rules allow failed, so refusals of the same kind prove nothing.
    FAILED_CONTROL = "failed control"
    # The catalog differs from the design.
    CATALOG = "catalog"
    # An audit log does not say what happened.
    UNTRACED = "no trace"


@dataclass(frozen=True)
class Finding:
    verdict: Verdict
    why: str
    object: str
    identity: str = ""
    tenant: str = ""
    verb: str = ""
    entry_point: str = ""
    group: str = ""
    request: dict[str, Any] | None = None
    status: int | None = None
    excerpt: str = ""
    remediation: str = ""

    @classmethod
    def of(cls, verdict: Verdict, why: str, attempt: Attempt, reply: Reply | None) -> Finding:
        return cls(
            verdict,
            why,
            attempt.object,
            attempt.identity.name,
            attempt.tenant.letter if attempt.tenant else "",
            attempt.verb,
            attempt.entry_point,
            attempt.group,
            attempt.what.describe(),
            reply.status if reply else None,
            reply.text[:_EXCERPT] if reply else "",
        )


def judge(attempt: Attempt, reply: Reply, environment: Environment) -> Finding | None:
    tenants = {tenant.letter: tenant for tenant in environment.made}
    # The state of a tenant changes during the run. The attempt has the state of its time.
    if attempt.tenant is not None:
        tenants[attempt.tenant.letter] = attempt.tenant
    for letter, visibility in environment.markers.findall(reply.text):
        if not may_see(attempt.identity, tenants[letter], Visibility(visibility)):
            why = f"the reply contains the {visibility} marker of tenant {letter}"
            return Finding.of(Verdict.LEAK, why, attempt, reply)
    shown = attempt.shows(reply)
    if attempt.expected is Expected.REFUSED and shown:
        return Finding.of(Verdict.LEAK, "the rules refuse it, but it succeeded", attempt, reply)
    if attempt.expected is Expected.REFUSED and reply.status in BUSY_STATUSES:
        why = "it was busy at every try, so this refusal proves nothing"
        return Finding.of(Verdict.FAILED_CONTROL, why, attempt, reply)
    if attempt.expected is Expected.ALLOWED and not shown:
        return Finding.of(
            Verdict.FAILED_CONTROL, "the rules allow it, but it failed", attempt, reply
        )
    return None


def unproved(
    attempts: Iterable[Attempt], succeeded: set[tuple[str, str, str]]
) -> list[Finding]:
    """Refused attempts without a successful positive control. The access may be broken."""
    found: dict[tuple[str, str, str], Finding] = {}
    for attempt in attempts:
        if attempt.expected is Expected.REFUSED and attempt.positive_control not in succeeded:
            found.setdefault(
                attempt.positive_control,
                Finding.of(
                    Verdict.FAILED_CONTROL,
                    "no identity succeeded with "
                    f"{' '.join(attempt.positive_control)}, so refusals prove nothing",
                    attempt,
                    None,
                ),
            )
    return list(found.values())


def inspect_rows(
    environment: Environment, tenant: Tenant, attempts: Iterable[Attempt]
) -> Iterator[Finding]:
    """Compares the rows with the attempts to write them, whatever the replies were."""
    now = {
        relation.name: {
            str(row[relation.key]): row
            for row in environment.rows(tenant.name, f"{relation.name}?limit=1000")
        }
        for relation in WRITABLE
        if environment.has_sql or not relation.is_extra
    }
    for attempt in attempts:
        sentinel = attempt.sentinel
        if sentinel is None:
            continue
        relation = next(each for each in WRITABLE if each.name == sentinel.table)
        if sentinel.effect == "there":
            # A row may be in another tenant than the attempt named.
            happened = sentinel.key in now[sentinel.table]
            may = relation.may(attempt.identity, tenant, relation.writes)
            if happened and not may:
                yield Finding.of(
                    Verdict.LEAK, f"tenant {tenant.letter} contains the row", attempt, None
                )
            if sentinel.tenant.letter != tenant.letter:
                continue
        elif sentinel.tenant.letter != tenant.letter:
            continue
        else:
            row = now[sentinel.table].get(sentinel.key)
            column, value = relation.change
            happened = (
                row is None if sentinel.effect == "gone" else bool(row and row[column] == value)
            )
            if happened and attempt.expected is Expected.REFUSED:
                yield Finding.of(
                    Verdict.LEAK, f"the sentinel row is {sentinel.effect}", attempt, None
                )
        if attempt.expected is Expected.ALLOWED and not happened:
            yield Finding.of(
                Verdict.FAILED_CONTROL,
                "the rules allow it, but it had no effect",
                attempt,
                None,
            )
    if "marker" not in now["settings"]:
        yield _unattributed(tenant, "settings", "the marker row was deleted")
    yield from _inspect_template(environment, tenant)


def _inspect_template(environment: Environment, tenant: Tenant) -> Iterator[Finding]:
    if environment.rows(
        tenant.name, "audit_log?or=(action.eq.forged,actor_role.eq.forged)&limit=1"
    ):
        yield _unattributed(tenant, "audit_log", "it contains a forged entry")
    if environment.rows(
        tenant.name, "users?or=(display_name.eq.forged,email.eq.forged)&limit=1"
    ):
        yield _unattributed(tenant, "users", "a profile was written without the RPCs")
    tables = {
        row["table_name"]: row["column_count"]
        for row in environment.rpc("get_schema_tables", schema_name=tenant.name)
    }
    if "proof_forged" in tables:
        yield _unattributed(tenant, "create_table", "the table proof_forged was created")
    if tables.get("proof_spare") != 2:
        yield _unattributed(tenant, "ddl-operations", "the table proof_spare was changed")


def inspect_registry(environment: Environment) -> Iterator[Finding]:
    """Compares the registry with the grants and roles that the run created."""
    names = {tenant.name: tenant for tenant in environment.made}
    listed = ",".join(names)
    tenants = environment.rows(
        "public", f"tenants?select=schema_name,status,display_name&schema_name=in.({listed})"
    )
    for tenant in environment.made:
        row = next((row for row in tenants if row["schema_name"] == tenant.name), None)
        if row is None or row["status"] != tenant.state.value:
            yield _unattributed(tenant, "tenants", f"its registry row is now {row}")
        elif row["display_name"] != environment.display_name(tenant):
            yield _unattributed(tenant, "tenants", "it was renamed")
    expected = {
        (_names_by_letter(environment)[letter], environment.ids[identity], level)
        for letter, identity, level, _ in GRANTS
        if identity is not REVOKED
    }
    expected |= {
        (_names_by_letter(environment)[letter], environment.ids[identity], level)
        for letter in ("A", "S")
        for identity, level in SUPPORT_ACCESS
        # Without SQL, the expired one was ended.
        if identity is SUPPORT or (identity is SUPPORT_EXPIRED and environment.has_sql)
    }
    found = {
        (row["schema_name"], row["user_id"], row["access_level"])
        for row in environment.rows("public", f"user_schema_access?schema_name=in.({listed})")
    }
    for name, user_id, level in found ^ expected:
        yield _unattributed(
            names[name],
            "user_schema_access",
            f"{level} access of user {user_id} was "
            f"{'granted' if (name, user_id, level) in found else 'revoked'}",
        )
    staff = {
        (environment.ids[identity], role)
        for identity, role in STAFF
        # Without SQL, the expired role was revoked.
        if identity is not EXPIRED or environment.has_sql
    }
    ids = ",".join(sorted(set(environment.ids.values())))
    roles = {
        (row["user_id"], row["role"])
        for row in environment.rows("public", f"admin_users?user_id=in.({ids})")
    }
    for user_id, role in roles ^ staff:
        yield _unattributed(
            None,
            "admin_users",
            f"the role {role} of user {user_id} was "
            f"{'granted' if (user_id, role) in roles else 'revoked'}",
        )
    forged = environment.rows(
        "public", f"admin_audit_log?action=eq.forged&schema_name=in.({listed})"
    )
    if forged:
        yield _unattributed(None, "admin_audit_log", "it contains a forged entry")


def _names_by_letter(environment: Environment) -> dict[str, str]:
    return {tenant.letter: tenant.name for tenant in environment.made}


def _unattributed(tenant: Tenant | None, what: str, why: str) -> Finding:
    return Finding(Verdict.LEAK, why, what, tenant=tenant.letter if tenant else "")
