"""The audit logs: whether they say what happened, and whether somebody can change that.

The attempts are made as staff who open support access, use it and cover their tracks, and as
the owner of the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

from psycopg import sql

from tenantry_cli.proof.attempts import Attempt, Expected, expect, shows_rows
from tenantry_cli.proof.environment import GRANTS, STAFF, SUPPORT_ACCESS, Environment
from tenantry_cli.proof.evidence import Finding, Verdict
from tenantry_cli.proof.identities import ADMIN_A, OWNER, REVOKED, SUPER_ADMIN, SUPPORT_ENDED
from tenantry_cli.proof.relations import WRITABLE
from tenantry_cli.proof.rules import Kind, Tenant
from tenantry_cli.proof.transport import Statement

GROUP = "covering tracks"
# PostgREST returns no more rows.
_ROWS = 1000
LONG_AGO = "1970-01-01T00:00:00Z"
_ACTIONS = {"POST": "insert", "PUT": "insert", "PATCH": "update", "DELETE": "delete"}

# What the platform's log has to say: action, tenant, user, actor.
Trace = tuple[str, str | None, str | None, str | None]


def inspect_changes(
    environment: Environment, tenant: Tenant, attempts: Iterable[Attempt]
) -> Iterator[Finding]:
    """Whether the tenant's audit log has each change of a row, with its caller."""
    tables = ",".join(relation.name for relation in WRITABLE)
    logged = {
        (
            row["action"],
            row["table_name"],
            *map(str, row["record_id"].values()),
            row["actor_id"],
        )
        for row in environment.rows(
            tenant.name,
            f"audit_log?select=action,table_name,record_id,actor_id&table_name=in.({tables})"
            f"&actor_id=not.is.null&record_id=not.is.null&order=id.desc&limit={_ROWS}",
        )
    }
    missed = set()
    for attempt in attempts:
        sentinel = attempt.sentinel
        if (
            sentinel is None
            or sentinel.tenant.letter != tenant.letter
            or attempt.expected is not Expected.ALLOWED
            or attempt.identity.kind is not Kind.USER
        ):
            continue
        change = (
            _ACTIONS[attempt.verb],
            sentinel.table,
            sentinel.key,
            environment.ids[attempt.identity],
        )
        if change not in logged and (sentinel.table, attempt.verb) not in missed:
            missed.add((sentinel.table, attempt.verb))
            yield Finding.of(
                Verdict.UNTRACED,
                "the audit log of the tenant does not have this change with its caller",
                attempt,
                None,
            )


def inspect_actions(environment: Environment, *more: Trace) -> Iterator[Finding]:
    """Whether the platform's audit log has what the run did so far."""
    names = {tenant.letter: tenant.name for tenant in environment.made}
    ids = environment.ids
    expected: list[Trace] = [
        *(("tenant.create", name, None, None) for name in names.values()),
        *(
            ("access.grant", names[letter], ids[identity], None)
            for letter, identity, _, _ in GRANTS
        ),
        *(
            ("access.revoke", name, ids[REVOKED], ids[ADMIN_A])
            for name in (environment.a.name, environment.s.name)
        ),
        *(
            ("support.open", name, ids[identity], ids[identity])
            for name in (environment.a.name, environment.s.name)
            for identity, _ in SUPPORT_ACCESS
        ),
        *(
            ("support.close", name, ids[SUPPORT_ENDED], ids[ADMIN_A])
            for name in (environment.a.name, environment.s.name)
        ),
        ("tenant.suspend", environment.s.name, None, None),
        *(("admin.promote", None, ids[identity], None) for identity, _ in STAFF),
        *more,
    ]
    found = _actions(environment)
    for trace in expected:
        if trace not in found:
            action, name, user_id, actor_id = trace
            of = f" for user {user_id}" if user_id else ""
            by = f" by user {actor_id}" if actor_id else ""
            where = f" in tenant {name}" if name else ""
            yield Finding(
                Verdict.UNTRACED,
                f"the audit log of the platform has no entry {action}{of}{by}{where}",
                action,
                group=GROUP,
            )


def _actions(environment: Environment) -> set[Trace]:
    names = ",".join(tenant.name for tenant in environment.made)
    ids = ",".join(sorted(set(environment.ids.values())))
    select = "admin_audit_log?select=action,schema_name,actor_id,details"
    found: set[Trace] = set()
    for query in (
        f"schema_name=in.({names})",
        f"schema_name=is.null&details->after->>user_id=in.({ids})",
    ):
        for row in environment.rows("public", f"{select}&{query}&order=id.desc&limit={_ROWS}"):
            details = row["details"] or {}
            user_id = next(
                (
                    details[state]["user_id"]
                    for state in ("after", "before")
                    if isinstance(details.get(state), dict) and "user_id" in details[state]
                ),
                None,
            )
            found.add((row["action"], row["schema_name"], user_id, row["actor_id"]))
    return found


# Attempts to change a log ---------------------------------------------------------------------


def a_second_ago() -> str:
    return (datetime.now(UTC) - timedelta(seconds=1)).isoformat()


def changes_of_the_log(environment: Environment, tenant: Tenant) -> Iterator[Attempt]:
    """Attempts in SQL to change what a log says, most of them by the owner of the database.

    They are rolled back. The tenant's log has to be sealed.
    """
    log = sql.Identifier(tenant.name, "audit_log")
    sealed = sql.SQL(
        "(select min(s.entry_id) from tenancy.audit_seals s"
        " where s.schema_name = {name} and not s.is_anchor)"
    ).format(name=tenant.name)

    def text(statement: str, **values: sql.Composable) -> str:
        return (
            sql.SQL(statement)
            .format(log=log, sealed=sealed, name=tenant.name, **values)
            .as_string()
        )

    attempt = partial(_owner_attempt, tenant)
    for verb, statement in (
        ("UPDATE", "update {log} set actor_role = 'forged' where id = {sealed} returning 1"),
        ("DELETE", "delete from {log} where id = {sealed} returning 1"),
    ):
        yield attempt("audit_log", verb, text(statement))
    yield attempt("audit_log", "TRUNCATE", text("select 1"), text("truncate {log}"))
    admin_log = "(select min(e.id) from public.admin_audit_log e where e.schema_name = {name})"
    for verb, statement in (
        ("UPDATE", "update public.admin_audit_log set actor_role = 'forged' where id = "),
        ("DELETE", "delete from public.admin_audit_log where id = "),
    ):
        yield attempt("admin_audit_log", verb, text(f"{statement}{admin_log} returning 1"))
    # Whoever gets past the triggers must be found out by the verification.
    maintain = text(
        "select set_config('tenancy.maintaining', {log_name}, true)",
        log_name=sql.Literal(f"{tenant.name}.audit_log"),
    )
    intact = text(
        "select 1 from tenancy.verify_audit_log({name}, null) v where v.is_intact"
        " and {sealed} is not null"
    )
    yield attempt("verify_audit_log", "an unchanged log", intact, may=True)
    for what, statement in (
        ("a changed entry", "update {log} set actor_role = 'forged' where id = {sealed}"),
        ("a removed entry", "delete from {log} where id = {sealed}"),
        (
            "a changed seal",
            "update tenancy.audit_seals s set hash = sha256(s.hash)"
            " where s.schema_name = {name} and s.entry_id = {sealed}",
        ),
    ):
        yield attempt("verify_audit_log", what, intact, maintain, text(statement))
    if environment.has_retention:
        lower = "update tenancy.platform_settings set audit_retention_days = 0 where singleton"
        yield attempt(
            "prune_audit_log",
            "with a shorter retention",
            text("select 1 from tenancy.prune_audit_log({name}, now() - interval '1 second')"),
            lower,
        )
        claims = {"role": "authenticated", "sub": environment.ids[SUPER_ADMIN]}
        prune = "select 1 from public.prune_audit_log(null, {})"
        for moment, may in ((f"'{LONG_AGO}'", True), ("now() - interval '1 second'", False)):
            yield Attempt(
                SUPER_ADMIN,
                None,
                GROUP,
                "prune_audit_log",
                "young entries of the platform" if not may else "no entries of the platform",
                "SQL",
                expect(may),
                Statement("authenticated", tuple(claims.items()), prune.format(moment)),
                shows_rows,
                ("prune_audit_log", "no entries of the platform", "SQL"),
            )


def _owner_attempt(
    tenant: Tenant, name: str, verb: str, text: str, *before: str, may: bool = False
) -> Attempt:
    return Attempt(
        OWNER,
        tenant,
        GROUP,
        name,
        verb,
        "SQL",
        expect(may),
        Statement("postgres", (), text, before=before),
        shows_rows,
        ("verify_audit_log", "an unchanged log", "SQL"),
    )
