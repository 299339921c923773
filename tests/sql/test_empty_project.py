"""A separate project without people: tests of the first and the last super_admin.

It has the generous default privileges of projects created before 30 October 2026.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier, Literal

from support.audited_call import audited_call
from support.entry_points import ENTRY_POINTS, at_once
from support.environment import Address, Environment, Person
from support.privileges import EXPECTED, actual, expected_in_tenant, of_the_project
from tenantry_cli.emulator.stack import Stack

LATER = "2999-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def project() -> Iterator[Address]:
    with Stack.start(port=None, ephemeral=True, default_privileges="legacy") as stack:
        yield Address.of(stack)


@pytest.fixture
def environment(project: Address) -> Iterator[Environment]:
    with Environment(project) as environment:
        yield environment


def test_privileges_do_not_depend_on_the_default_privileges(
    environment: Environment,
) -> None:
    name = environment.tenant()

    with psycopg.connect(environment.address.db_url, row_factory=dict_row) as database:
        assert of_the_project(database) == EXPECTED
        assert actual(database, name) == expected_in_tenant(name)
        environment.suspend(name)
        assert actual(database, name) == set()
        # The positive control: the default privileges of this project are the generous ones.
        database.execute("create table public.forgotten ()")
        assert ("anon", "insert", "public.forgotten") in of_the_project(database)
        database.rollback()


def test_first_super_admin_is_appointed_with_the_service_key(environment: Environment) -> None:
    first = environment.person()
    arguments: dict[str, Any] = {"user_id": first.id, "role": "super_admin"}
    assert audited_call(environment, first, "promote_to_admin", **arguments).refusal == (
        403,
        "forbidden",
    )

    made = audited_call(environment, environment.service, "promote_to_admin", **arguments)

    assert made.entry["actor_role"] == "service_role"
    assert made.entry["actor_id"] is None
    assert audited_call(
        environment, first, "create_tenant_schema", schema_name=environment.name()
    ).result


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_last_super_admin_cannot_be_revoked(environment: Environment, entry_point: str) -> None:
    last = environment.staff("super_admin")
    environment.staff("admin")
    demotions: list[tuple[str, dict[str, Any]]] = [
        ("revoke_admin", {"user_id": last.id}),
        ("promote_to_admin", {"user_id": last.id, "role": "admin"}),
        ("promote_to_admin", {"user_id": last.id, "role": "viewer"}),
        (
            "promote_to_admin",
            {"user_id": last.id, "role": "super_admin", "expires_at": LATER},
        ),
    ]

    for caller, (operation, arguments) in product((last, environment.service), demotions):
        refused = audited_call(
            environment, caller, operation, entry_point=entry_point, **arguments
        )
        assert refused.refusal == (409, "last_super_admin")

        second = environment.staff("super_admin")
        allowed = audited_call(
            environment, caller, operation, entry_point=entry_point, **arguments
        )
        assert allowed.entry
        # Restores the state for the next test.
        audited_call(
            environment, second, "promote_to_admin", user_id=last.id, role="super_admin"
        ).must_succeed()
        audited_call(environment, last, "revoke_admin", user_id=second.id).must_succeed()


def test_one_of_two_super_admins_lets_the_other_expire(environment: Environment) -> None:
    first, second = (environment.staff("super_admin") for _ in range(2))

    def expire(by: Person, user: Person) -> httpx.Response:
        return environment.rpc(
            by, "promote_to_admin", user_id=user.id, role="super_admin", expires_at=LATER
        )

    replies = at_once(partial(expire, first, second), partial(expire, second, first))

    done, refused = sorted(reply.status_code for reply in replies)
    # Whoever calls after the other one has a role that expires.
    assert done == 200
    assert refused in (403, 409)
    lasting = environment.sql.execute(
        "select count(*) from public.admin_users where expires_at is null"
    ).fetchone()
    assert lasting == {"count": 1}


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_number_of_tables_of_a_tenant_is_limited(
    environment: Environment, entry_point: str
) -> None:
    name = environment.tenant()
    environment.sql.execute(
        "update tenancy.platform_settings set max_tables = 4 where singleton"
    )
    try:
        asked = {"schema_name": name, "columns": []}
        fourth = audited_call(
            environment,
            environment.service,
            "create_table",
            entry_point=entry_point,
            table_name="a",
            **asked,
        )
        fifth = audited_call(
            environment,
            environment.service,
            "create_table",
            entry_point=entry_point,
            table_name="b",
            **asked,
        )
    finally:
        environment.sql.execute(
            "update tenancy.platform_settings set max_tables = default where singleton"
        )

    assert fourth.result
    assert fifth.refusal == (409, "table_limit")


_UNIQUE = {"name": "n", "type": "uuid", "unique": True}

# What adds to a budget, in a tenant with the table orders (id, n unique, user_id).
ADDING: list[tuple[str, str, str, dict[str, Any]]] = [
    ("columns", "column_limit", "create_table", {"table_name": "b", "columns": []}),
    ("columns", "column_limit", "add_column", {"column_name": "b", "column_type": "int"}),
    ("indexes", "index_limit", "create_table", {"table_name": "b", "columns": [_UNIQUE]}),
    (
        "indexes",
        "index_limit",
        "add_foreign_key",
        {"column_name": "user_id", "foreign_table": "users"},
    ),
    (
        "foreign_keys",
        "foreign_key_limit",
        "add_foreign_key",
        {"column_name": "n", "foreign_table": "users"},
    ),
    (
        "text_bytes",
        "text_limit",
        "create_table",
        {"table_name": "b", "columns": [], "description": "What was sold."},
    ),
    (
        "text_bytes",
        "text_limit",
        "create_table",
        {"table_name": "b", "columns": [{"name": "a", "type": "int[]", "default": [1, 2]}]},
    ),
    (
        "text_bytes",
        "text_limit",
        "add_column",
        {"column_name": "b", "column_type": "timestamptz", "default_expression": "now()"},
    ),
]


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize(
    ("kind", "error", "operation", "arguments"),
    ADDING,
    ids=[
        f"{error} {operation} {number}"
        for number, (_, error, operation, _) in enumerate(ADDING)
    ],
)
def test_what_a_tenant_adds_stays_within_its_budgets(
    environment: Environment,
    entry_point: str,
    kind: str,
    error: str,
    operation: str,
    arguments: dict[str, Any],
) -> None:
    name, service = environment.tenant(), environment.service
    audited_call(
        environment,
        service,
        "create_table",
        schema_name=name,
        table_name="orders",
        columns=[_UNIQUE, {"name": "user_id", "type": "uuid"}],
    ).must_succeed()

    def used() -> int:
        row = environment.sql.execute(
            "select (tenancy.budget_usage(%s) ->> %s)::integer as used", (name, kind)
        ).fetchone()
        return int(row["used"]) if row else 0

    def call(limit: int) -> Any:
        setting = SQL("update tenancy.platform_settings set {} = {} where singleton")
        column = Identifier(f"max_{kind}")
        environment.sql.execute(setting.format(column, Literal(limit)))
        try:
            return audited_call(
                environment,
                service,
                operation,
                entry_point=entry_point,
                **{"schema_name": name, "table_name": "orders"} | arguments,
            )
        finally:
            environment.sql.execute(setting.format(column, SQL("default")))

    before = used()
    # Also where the limit has been lowered below what the tenant has.
    for limit in {max(before - 1, 0), before}:
        refused = call(limit)
        assert refused.refusal == (409, error)
        assert str(before) in refused.reply.json()["message"]
        assert f"{limit} are allowed" in refused.reply.json()["message"]
        assert refused.entries == []
    assert used() == before

    # The positive control: the same call fits into a larger budget.
    assert call(before + 1_000 if kind == "text_bytes" else before + 100).result
    assert used() > before


def test_tenant_over_a_lowered_limit_may_still_change(environment: Environment) -> None:
    name = environment.tenant()
    environment.sql.execute("update tenancy.platform_settings set max_indexes = 0")
    try:
        done = audited_call(
            environment,
            environment.service,
            "add_column",
            schema_name=name,
            table_name="users",
            column_name="x_a",
            column_type="int",
        )
    finally:
        environment.sql.execute("update tenancy.platform_settings set max_indexes = default")
    assert done.result["column_name"] == "x_a"
