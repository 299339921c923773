"""Attempts in SQL, with the role of a request. The guard does not run, so two layers remain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from psycopg import sql

from tenantry_cli.proof.attempts import Attempt, expect, shows_rows
from tenantry_cli.proof.environment import Environment
from tenantry_cli.proof.identities import NOBODY, SERVICE, USERS, WITHOUT_USER
from tenantry_cli.proof.relations import RELATIONS, Relation, row_key
from tenantry_cli.proof.rules import (
    ALL_ROWS,
    OTHER,
    Identity,
    Level,
    Tenant,
    has_permission,
    may_access_rows,
)
from tenantry_cli.proof.transport import Statement


def statements(
    environment: Environment,
    tenants: tuple[Tenant, ...],
    identity: Identity,
    entry_point: str,
) -> Iterator[Attempt]:
    """The attempts of an identity. `entry_point` is part of the keys of its sentinel rows."""
    # In the database, a caller without a key is the same as the anon key.
    if identity == NOBODY:
        return
    role, subject = "anon", None
    if identity == SERVICE:
        role = "service_role"
    elif identity == WITHOUT_USER:
        role = "authenticated"
    elif identity in USERS:
        role, subject = "authenticated", environment.ids[identity]
    claims = {"role": role} | ({"sub": subject} if subject else {})
    for tenant in tenants:
        yield from _layers(identity, tenant, role, claims)
        yield from _permissions(environment, identity, tenant, role, claims)
        for name, verb, may, control, text in _texts(
            environment, identity, tenant, row_key("PATCH", identity, entry_point)
        ):
            yield Attempt(
                identity,
                tenant,
                "past the guard",
                name,
                verb,
                "SQL",
                expect(may),
                Statement(role, tuple(claims.items()), text),
                shows_rows,
                (control, verb, "SQL"),
            )


def _layers(
    identity: Identity, tenant: Tenant, role: str, claims: dict[str, str]
) -> Iterator[Attempt]:
    """Attempts of the questions of policies and of the guard, without the other layers."""
    questions = [("guard_request", "select 'passed' from tenancy.guard_request({}, {})")]
    # Policies apply to signed-in users only.
    if role == "authenticated":
        questions.append(
            (
                "open_tenants",
                "select 'passed' from tenancy.open_tenants o"
                " where o.schema_name = {} and o.access_level >= {}",
            )
        )
    for name, text in questions:
        for level in Level:
            statement = sql.SQL(text).format(tenant.name, level.name.lower())
            yield Attempt(
                identity,
                tenant,
                "past the guard",
                name,
                level.name.lower(),
                "SQL",
                expect(may_access_rows(identity, tenant, level)),
                Statement(role, tuple(claims.items()), statement.as_string()),
                shows_rows,
                (name, level.name.lower(), "SQL"),
            )
    # The guard as PostgREST calls it. The routines of a tenant need the level read.
    for method, path, level in (
        ("GET", "/settings", Level.READ),
        ("POST", "/proof_notes", Level.WRITE),
        ("POST", "/rpc/proof_invoker_function", Level.READ),
    ):
        yield Attempt(
            identity,
            tenant,
            "past the guard",
            "guard_request",
            f"{method} {path}",
            "SQL",
            expect(may_access_rows(identity, tenant, level)),
            Statement(
                role,
                tuple(claims.items()),
                "select 'passed' from tenancy.guard_request()",
                settings=(
                    (
                        "search_path",
                        sql.SQL("{}, public").format(sql.Identifier(tenant.name)).as_string(),
                    ),
                    ("request.method", method),
                    ("request.path", path),
                ),
            ),
            shows_rows,
            ("guard_request", f"{method} {path}", "SQL"),
        )


def _permissions(
    environment: Environment,
    identity: Identity,
    tenant: Tenant,
    role: str,
    claims: dict[str, str],
) -> Iterator[Attempt]:
    """What routines of the project ask."""
    for permission in (ALL_ROWS, OTHER):
        statement = sql.SQL("select 'passed' where tenancy.has_permission({}, {})").format(
            tenant.name, environment.run.permission(permission)
        )
        yield Attempt(
            identity,
            tenant,
            "permissions",
            "has_permission",
            permission,
            "SQL",
            expect(has_permission(identity, tenant, permission)),
            Statement(role, tuple(claims.items()), statement.as_string()),
            shows_rows,
            ("has_permission", permission, "SQL"),
        )


def _texts(
    environment: Environment, identity: Identity, tenant: Tenant, key: str
) -> Iterator[tuple[str, str, bool, str, str]]:
    for relation in RELATIONS:
        for verb, text in _verbs(environment, tenant, relation, key):
            needs = relation.reads if verb == "GET" else relation.writes
            control = relation.name if needs is not None else relation.control
            yield relation.name, verb, relation.may(identity, tenant, needs), control, text
    for routine, needs in (
        ("proof_invoker_function", Level.READ),
        ("proof_definer_function", None),
    ):
        call = sql.SQL("select * from {}()").format(sql.Identifier(tenant.name, routine))
        may = may_access_rows(identity, tenant, needs)
        yield routine, "RPC", may, "proof_invoker_function", call.as_string()


def _verbs(
    environment: Environment, tenant: Tenant, relation: Relation, key: str
) -> Iterator[tuple[str, str]]:
    table = sql.Identifier(tenant.name, relation.name)
    column, value = relation.change
    body = environment.body(relation, "sql")
    # For tables of the template that nobody may write, every row is suitable.
    where: sql.Composable = sql.SQL("where true")
    if relation.name not in ("users", "audit_log"):
        where = sql.SQL("where {} = {}").format(sql.Identifier(relation.key), key)
    for verb, text in (
        ("GET", "select * from {table}"),
        ("POST", "insert into {table} ({columns}) values ({values}) returning 1"),
        ("PATCH", "update {table} set {column} = {value} {where} returning 1"),
        ("DELETE", "delete from {table} {where} returning 1"),
    ):
        statement = sql.SQL(text).format(
            table=table,
            columns=sql.SQL(", ").join(map(sql.Identifier, body)),
            values=sql.SQL(", ").join(_literal(*each) for each in body.items()),
            column=sql.Identifier(column),
            value=_literal(column, value),
            where=where,
        )
        yield verb, statement.as_string()


def _literal(column: str, value: Any) -> sql.Literal:
    # settings.value is jsonb.
    return sql.Literal(json.dumps(value) if column == "value" else value)
