"""The cost of row level security: one check per statement, none per row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from support.environment import Environment


@pytest.fixture
def tenant(environment: Environment) -> str:
    """A tenant with 1,000 rows in each table of the template and in an own table."""
    name = environment.tenant()
    schema = sql.Identifier(name)
    for statement in (
        "create table {}.notes (id integer primary key, body text not null)",
        "insert into {}.notes select i, 'x' from generate_series(1, 1000) i",
        "insert into {}.settings (key) select i::text from generate_series(1, 1000) i",
        "insert into {}.users (id) select gen_random_uuid() from generate_series(1, 1000)",
    ):
        environment.sql.execute(sql.SQL(statement).format(schema))
    environment.sql.execute("select tenancy.enable_tenant_table(%s, 'notes')", (name,))
    environment.sql.execute("select tenancy.apply_tenant_privileges(%s)", (name,))
    return name


@pytest.mark.parametrize("table", ["settings", "users", "audit_log", "notes"])
def test_read_checks_access_once_per_statement(
    environment: Environment, tenant: str, table: str
) -> None:
    plan = _plan_as(environment, tenant, "admin", f"table {{}}.{table}")

    # The audit log has an entry for each row of settings and of users.
    assert plan["Actual Rows"] == (2_000 if table == "audit_log" else 1_000)
    assert [node["Actual Loops"] for node in _init_plans(plan)] == [1]
    assert not _calls(plan)


@pytest.mark.parametrize(
    "statement",
    ["update {}.notes set body = 'y' where id > 0", "delete from {}.notes where id > 0"],
)
def test_write_checks_access_once_per_statement_and_policy(
    environment: Environment, tenant: str, statement: str
) -> None:
    plan = _plan_as(environment, tenant, "write", statement)

    assert {node["Actual Loops"] for node in _init_plans(plan)} == {1}
    assert not _calls(plan)


def test_policy_that_checks_every_row_is_detected(
    environment: Environment, tenant: str
) -> None:
    environment.sql.execute(
        sql.SQL(
            "alter policy select_member on {}.notes using (exists (select from"
            " tenancy.open_tenants o where o.schema_name = {} and id is not null))"
        ).format(sql.Identifier(tenant), tenant)
    )

    plan = _plan_as(environment, tenant, "read", "select * from {}.notes where true")

    assert not list(_init_plans(plan))
    assert _calls(plan)


def _plan_as(
    environment: Environment, tenant: str, level: str, statement: str
) -> dict[str, Any]:
    """The plan of the statement for a member, in the role that the Data API uses."""
    member = environment.member(tenant, level)
    with psycopg.connect(environment.address.db_url) as connection:
        connection.execute("set local role authenticated")
        connection.execute(
            "select set_config('request.jwt.claims', %s, true)",
            (json.dumps({"sub": member.id}),),
        )
        explain = "explain (analyze, verbose, format json) " + statement
        row = connection.execute(sql.SQL(explain).format(sql.Identifier(tenant))).fetchone()
        connection.rollback()
    assert row is not None
    plan: dict[str, Any] = row[0][0]["Plan"]
    return plan


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def _init_plans(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (node for node in _nodes(plan) if node.get("Parent Relationship") == "InitPlan")


def _calls(plan: dict[str, Any]) -> list[str]:
    """The conditions that ask the question for each row."""
    return [
        condition
        for node in _nodes(plan)
        for name in ("Filter", "Index Cond", "Recheck Cond", "Join Filter")
        if "open_tenants" in (condition := str(node.get(name, ""))) or "SubPlan" in condition
    ]
