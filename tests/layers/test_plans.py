"""The cost of row level security: one check per statement, none per row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from support.counting import calls
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


def test_question_of_a_read_is_three_lookups_without_a_join(
    environment: Environment, tenant: str
) -> None:
    plan = _plan_as(environment, tenant, "read", "select * from {}.notes where id = 500")

    (question,) = _init_plans(plan)
    nodes = list(_nodes(question))
    assert sorted(node["Relation Name"] for node in nodes if "Relation Name" in node) == [
        "tenants",
        "user_schema_access",
        "users",
    ]
    assert {node["Actual Loops"] for node in nodes} == {1}
    assert not [
        node["Node Type"]
        for node in nodes
        if "Join" in node["Node Type"] or node["Node Type"] == "Nested Loop"
    ]
    # Each row is found by its key: a page of the table, and the way through its index.
    assert question["Shared Hit Blocks"] + question["Shared Read Blocks"] <= 12


def test_question_for_a_permission_costs_what_that_for_a_level_costs(
    environment: Environment, tenant: str
) -> None:
    permission = f"{tenant}.read"
    environment.sql.execute("select tenancy.declare_permission(%s)", (permission,))
    environment.sql.execute(
        "select public.define_role(%s, 'reader', %s)", (tenant, [permission])
    )
    test = environment.sql.execute(
        "select tenancy.permission_test(%s, %s) as text", (tenant, permission)
    ).fetchone()
    assert test is not None
    all_notes = "select * from {}.notes where true"

    by_level = _plan_as(environment, tenant, "read", all_notes, role="reader")
    environment.sql.execute(
        sql.SQL("alter policy select_member on {}.notes using ({})").format(
            sql.Identifier(tenant), sql.SQL(test["text"])
        )
    )
    by_role = _plan_as(environment, tenant, "read", all_notes, role="reader")
    without = _plan_as(environment, tenant, "read", all_notes)
    environment.sql.execute(
        "delete from tenancy.permissions where permission = %s", (permission,)
    )

    assert (by_level["Actual Rows"], by_role["Actual Rows"], without["Actual Rows"]) == (
        *(1_000, 1_000),
        0,
    )
    (level,), (question,) = _init_plans(by_level), _init_plans(by_role)
    assert not _calls(by_role)
    for measure in ("Actual Loops", "Actual Rows", "Shared Hit Blocks", "Shared Read Blocks"):
        assert question[measure] == level[measure], measure
    assert [node["Node Type"] for node in _nodes(question)] == [
        node["Node Type"] for node in _nodes(level)
    ]


def test_rows_of_a_member_are_found_without_a_question_for_each_row(
    environment: Environment, tenant: str
) -> None:
    environment.sql.execute(
        sql.SQL(
            "create table {schema}.own (id integer primary key, owner_id uuid);"
            "insert into {schema}.own select i, gen_random_uuid()"
            " from generate_series(1, 1000) i;"
            "select tenancy.enable_tenant_table({name}, 'own', rows => 'own',"
            " owner_column => 'owner_id');"
            "select tenancy.apply_tenant_privileges({name})"
        ).format(schema=sql.Identifier(tenant), name=tenant)
    )

    for level, rows in (("read", 0), ("admin", 1_000)):
        plan = _plan_as(environment, tenant, level, "select * from {}.own where true")
        assert plan["Actual Rows"] == rows
        # The level, the id of the caller, and whether they see all rows.
        questions = list(_init_plans(plan))
        assert [node["Actual Loops"] for node in questions] == [1, 1, 1]
        assert not _calls(plan)
        blocks = sum(
            node["Shared Hit Blocks"] + node["Shared Read Blocks"] for node in questions
        )
        assert blocks <= 24


def test_guard_gets_the_path_of_the_request_in_the_statement_of_postgrest(
    environment: Environment,
) -> None:
    """So a change of `search_path` makes PostgreSQL plan that statement anew, and no other."""
    row = environment.sql.execute(
        "explain (verbose, format json) select tenancy.guard_request()"
    ).fetchone()

    assert row is not None
    (output,) = row["QUERY PLAN"][0]["Plan"]["Output"]
    assert output.startswith("tenancy.guard_request(current_setting('search_path'::text)")


def test_guard_asks_one_query_whether_a_usual_write_may_be_refused(
    environment: Environment, tenant: str
) -> None:
    member = environment.member(tenant, "write")
    notes = sql.Identifier(tenant, "notes")
    request = {
        "search_path": f'"{tenant}", public',
        "request.jwt.claims": json.dumps({"sub": member.id}),
        "request.method": "POST",
        "request.path": "/notes",
    }
    with psycopg.connect(environment.address.admin_db_url) as connection:
        connection.execute("set local track_functions = 'pl'")
        # The sizes of small tables decide nothing here.
        connection.execute("set local enable_seqscan = off")
        for setting in request.items():
            connection.execute("select set_config(%s, %s, true)", setting)

        def guard() -> tuple[set[str], int]:
            """The functions that ran for an insert, and the blocks that were read."""
            before = calls(connection)
            connection.execute("set local role authenticated")
            row = connection.execute(
                "explain (analyze, buffers, format json) select tenancy.guard_request()"
            ).fetchone()
            connection.execute("reset role")
            assert row is not None
            plan = row[0][0]["Plan"]
            ran = calls(connection) - before
            return {*ran}, plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]

        guard()  # The first request of a session makes the plans.
        functions, _ = guard()
        # After a change of the catalog, as other tests make, a call reads parts of it again.
        blocks = min(guard()[1] for _ in range(10))
        connection.execute(sql.SQL("revoke insert on {} from authenticated").format(notes))
        connection.execute(sql.SQL("grant insert (id) on {} to authenticated").format(notes))
        looking_closely, _ = guard()
        connection.rollback()

    assert functions == {"guard_request"}
    # The three rows of the question, and the policies of the table by their key: four look-ups
    # of a few blocks each, 13 on PostgreSQL 17 and 17 on 15.
    assert blocks <= 20
    assert looking_closely == {"guard_request", "require_writable"}


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
    environment: Environment, tenant: str, level: str, statement: str, role: str | None = None
) -> dict[str, Any]:
    """The plan of the statement for a member, in the role that the Data API uses."""
    member = environment.member(tenant, level)
    if role is not None:
        environment.sql.execute(
            "select public.grant_schema_access(%s, %s, %s, roles => %s)",
            (tenant, member.id, level, [role]),
        )
    with psycopg.connect(environment.address.db_url) as connection:
        connection.execute("set local role authenticated")
        connection.execute(
            "select set_config('request.jwt.claims', %s, true)",
            (json.dumps({"sub": member.id}),),
        )
        explain = "explain (analyze, buffers, verbose, format json) " + statement
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
    """The questions: InitPlans that are no part of another one."""
    for child in plan.get("Plans", ()):
        if child.get("Parent Relationship") == "InitPlan":
            yield child
        # A SubPlan runs for each row, with all that it has.
        elif child.get("Parent Relationship") != "SubPlan":
            yield from _init_plans(child)


def _calls(plan: dict[str, Any]) -> list[str]:
    """The conditions that ask the question for each row."""
    conditions = [
        condition
        for name in ("Filter", "Index Cond", "Recheck Cond", "Join Filter")
        if "open_tenants" in (condition := str(plan.get(name, ""))) or "SubPlan" in condition
    ]
    for child in plan.get("Plans", ()):
        # A question has subplans of its own. It runs once.
        if child.get("Parent Relationship") != "InitPlan":
            conditions += _calls(child)
    return conditions
