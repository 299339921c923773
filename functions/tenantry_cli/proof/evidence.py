"""What a reply, and what is found afterwards, say about an attempt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from tenantry_cli.proof.attempts import Attempt, Expected
from tenantry_cli.proof.environment import GRANTS, Environment
from tenantry_cli.proof.identities import ADMIN, REVOKED, SUPER_ADMIN, VIEWER
from tenantry_cli.proof.relations import WRITABLE
from tenantry_cli.proof.rules import Audience, Tenant, may_see, may_touch_rows
from tenantry_cli.proof.wire import Reply

_EXCERPT = 400


class Verdict(Enum):
    # Somebody got what is not theirs.
    LEAK = "leak"
    # Somebody did not get what is theirs, so that refusals beside it prove nothing.
    BROKEN_TWIN = "broken twin"
    # The catalog promises less than the design.
    CATALOG = "catalog"


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
    cure: str = ""

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
    # The attempt knows a state that changes in the course of the run.
    if attempt.tenant is not None:
        tenants[attempt.tenant.letter] = attempt.tenant
    for letter, audience in environment.markers.findall(reply.text):
        if not may_see(attempt.identity, tenants[letter], Audience(audience)):
            why = f"the reply holds the {audience} marker of tenant {letter}"
            return Finding.of(Verdict.LEAK, why, attempt, reply)
    shown = attempt.shows(reply)
    if attempt.expected is Expected.REFUSED and shown:
        return Finding.of(
            Verdict.LEAK, "refused by the rules, and it went through", attempt, reply
        )
    if attempt.expected is Expected.ALLOWED and not shown:
        return Finding.of(Verdict.BROKEN_TWIN, "allowed, and did not succeed", attempt, reply)
    return None


def unproved(
    attempts: Iterable[Attempt], succeeded: set[tuple[str, str, str]]
) -> list[Finding]:
    """Refusals of a kind that nobody was allowed: they may only mean that nothing works."""
    found: dict[tuple[str, str, str], Finding] = {}
    for attempt in attempts:
        if attempt.expected is Expected.REFUSED and attempt.twin not in succeeded:
            found.setdefault(
                attempt.twin,
                Finding.of(
                    Verdict.BROKEN_TWIN,
                    f"nobody got through with {' '.join(attempt.twin)}: refusals prove nothing",
                    attempt,
                    None,
                ),
            )
    return list(found.values())


def inspect_rows(
    environment: Environment, tenant: Tenant, attempts: Iterable[Attempt]
) -> Iterator[Finding]:
    """Looks for what writes have done, whatever their replies said."""
    now = {
        relation.name: {
            str(row[relation.key]): row
            for row in environment.rows(tenant.name, f"{relation.name}?limit=1000")
        }
        for relation in WRITABLE
    }
    for attempt in attempts:
        sentinel = attempt.sentinel
        if sentinel is None:
            continue
        relation = next(each for each in WRITABLE if each.name == sentinel.table)
        if sentinel.effect == "there":
            # Wherever it ended up.
            happened = sentinel.key in now[sentinel.table]
            may = may_touch_rows(attempt.identity, tenant, relation.writes)
            if happened and not may:
                yield Finding.of(
                    Verdict.LEAK, f"its row is in tenant {tenant.letter}", attempt, None
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
                    Verdict.LEAK, f"the row it was aimed at is {sentinel.effect}", attempt, None
                )
        if attempt.expected is Expected.ALLOWED and not happened:
            yield Finding.of(Verdict.BROKEN_TWIN, "allowed, and left no trace", attempt, None)
    if "marker" not in now["settings"]:
        yield _unattributed(tenant, "settings", "the marker row is gone")
    yield from _inspect_template(environment, tenant)


def _inspect_template(environment: Environment, tenant: Tenant) -> Iterator[Finding]:
    if environment.rows(
        tenant.name, "audit_log?or=(action.eq.forged,actor_role.eq.forged)&limit=1"
    ):
        yield _unattributed(tenant, "audit_log", "it holds a forged entry")
    if environment.rows(
        tenant.name, "users?or=(display_name.eq.forged,email.eq.forged)&limit=1"
    ):
        yield _unattributed(tenant, "users", "a profile was written past the RPCs")
    tables = {
        row["table_name"]: row["column_count"]
        for row in environment.rpc("get_schema_tables", schema_name=tenant.name)
    }
    if "proof_forged" in tables:
        yield _unattributed(tenant, "create_table", "somebody made the table proof_forged")
    if tables.get("proof_spare") != 2:
        yield _unattributed(tenant, "ddl-operations", "the table proof_spare was changed")


def inspect_registry(environment: Environment) -> Iterator[Finding]:
    """The registry is what it was made: nobody gave or took anything."""
    names = {tenant.name: tenant for tenant in environment.made}
    listed = ",".join(names)
    tenants = environment.rows(
        "public", f"tenants?select=schema_name,status,display_name&schema_name=in.({listed})"
    )
    for tenant in environment.made:
        row = next((row for row in tenants if row["schema_name"] == tenant.name), None)
        if row is None or row["status"] != tenant.state.value:
            yield _unattributed(tenant, "tenants", f"its registry row is now {row}")
        elif row["display_name"] != environment.marker(tenant, Audience.REGISTRY):
            yield _unattributed(tenant, "tenants", "it was renamed")
    expected = {
        (_names_by_letter(environment)[letter], environment.ids[identity], level)
        for letter, identity, level, _ in GRANTS
        if identity is not REVOKED
    }
    found = {
        (row["schema_name"], row["user_id"], row["access_level"])
        for row in environment.rows("public", f"user_schema_access?schema_name=in.({listed})")
    }
    for name, user_id, level in found ^ expected:
        yield _unattributed(
            names[name],
            "user_schema_access",
            f"{level} of user {user_id} was "
            f"{'given' if (name, user_id, level) in found else 'taken'}",
        )
    staff = {(environment.ids[SUPER_ADMIN], "super_admin"), (environment.ids[ADMIN], "admin")}
    staff.add((environment.ids[VIEWER], "viewer"))
    ids = ",".join(sorted(set(environment.ids.values())))
    roles = {
        (row["user_id"], row["role"])
        for row in environment.rows("public", f"admin_users?user_id=in.({ids})")
    }
    for user_id, role in roles ^ staff:
        yield _unattributed(
            None,
            "admin_users",
            f"{role} of user {user_id} was {'given' if (user_id, role) in roles else 'taken'}",
        )
    forged = environment.rows(
        "public", f"admin_audit_log?action=eq.forged&schema_name=in.({listed})"
    )
    if forged:
        yield _unattributed(None, "admin_audit_log", "it holds a forged entry")


def _names_by_letter(environment: Environment) -> dict[str, str]:
    return {tenant.letter: tenant.name for tenant in environment.made}


def _unattributed(tenant: Tenant | None, what: str, why: str) -> Finding:
    return Finding(Verdict.LEAK, why, what, tenant=tenant.letter if tenant else "")
