"""Arguments of DDL operations: default values, and names and columns that are refused.

All tests share one tenant, in which each test that creates a table has a name of its own.
"""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from support.environment import Environment, Person
from support.refusals import refusal
from support.tables import COLUMNS, create


@pytest.fixture
def admin(environment: Environment, tenant: str) -> Person:
    return environment.member(tenant, "admin")


@pytest.fixture
def table() -> str:
    return f"table_{secrets.token_hex(6)}"


@pytest.mark.parametrize(
    ("type_", "literal", "stored"),
    [
        ("text", "it's", "it's"),
        ("int", 5, 5),
        ("int", "5", 5),
        ("boolean", True, True),
        ("numeric(5,2)", 1.239, 1.24),
        ("varchar(3)", "abc", "abc"),
        ("jsonb", {"a": "'"}, {"a": "'"}),
        ("jsonb", "text", "text"),
        ("jsonb", False, False),
        ("text[]", ["a", 'b"', "c,d", "{"], ["a", 'b"', "c,d", "{"]),
        ("int[]", [], []),
        ("date", "2026-11-23", "2026-11-23"),
        ("bytea", "\\xdeadbeef", "\\xdeadbeef"),
    ],
)
def test_row_gets_the_literal_default(
    environment: Environment,
    tenant: str,
    admin: Person,
    table: str,
    type_: str,
    literal: Any,
    stored: Any,
) -> None:
    create(
        environment, admin, tenant, table, [{"name": "c", "type": type_, "default": literal}]
    )
    added = environment.rpc(
        admin,
        "add_column",
        schema_name=tenant,
        table_name=table,
        column_name="d",
        column_type=type_,
        default_value=literal,
    )
    assert added.status_code == 200, added.text

    (row,) = environment.rows(admin, tenant, table, "POST", json={}).json()

    assert (row["c"], row["d"]) == (stored, stored)


@pytest.mark.parametrize(
    ("type_", "literal"),
    [
        ("int", "five"),
        ("int", 1.5),
        ("int", {"a": 1}),
        ("smallint", 40_000),
        ("varchar(3)", "abcd"),
        ("varchar(3)[]", ["abc", "abcd"]),
        ("char(3)", "abcd"),
        ("numeric(3,1)", 1000),
        ("boolean", "perhaps"),
        ("text", ["a"]),
        ("text[]", "a"),
        ("int[]", [[1]]),
        ("uuid", "no"),
        ("timestamptz", "soon"),
        ("inet", "1.2.3"),
    ],
)
def test_default_of_another_type_is_refused(
    environment: Environment, tenant: str, admin: Person, type_: str, literal: Any
) -> None:
    reply = environment.function(
        admin,
        "create_table",
        schema_name=tenant,
        table_name="orders",
        columns=[{"name": "c", "type": type_, "default": literal}],
    )

    assert (reply.status_code, reply.json()["code"]) == (400, "invalid_default")
    assert not environment.sql.execute(
        "select from pg_tables where (schemaname, tablename) = (%s, 'orders')", (tenant,)
    ).fetchall()


@pytest.mark.parametrize(
    ("expression", "type_"),
    [
        ("now()", "timestamptz"),
        ("NOW()", "timestamp"),
        ("gen_random_uuid()", "uuid"),
        ("auth.uid()", "uuid"),
        ("current_date", "date"),
    ],
)
def test_allowed_default_expressions_work(
    environment: Environment,
    tenant: str,
    admin: Person,
    table: str,
    expression: str,
    type_: str,
) -> None:
    column = {"name": "c", "type": type_, "default_expression": expression}
    create(environment, admin, tenant, table, [column])

    (row,) = environment.rows(admin, tenant, table, "POST", json={}).json()

    assert row["c"] is not None
    if expression == "auth.uid()":
        assert row["c"] == admin.id


@pytest.mark.parametrize(
    ("expression", "type_"),
    [
        ("now()", "int"),
        ("gen_random_uuid()", "text[]"),
        ("pg_sleep(10)", "text"),
        ("now(); drop table users", "timestamptz"),
        ("current_user", "text"),
        ("", "text"),
    ],
)
def test_other_default_expressions_are_refused(
    environment: Environment, tenant: str, admin: Person, expression: str, type_: str
) -> None:
    reply = environment.rpc(
        admin,
        "create_table",
        schema_name=tenant,
        table_name="orders",
        columns=[{"name": "c", "type": type_, "default_expression": expression}],
    )

    assert (reply.status_code, reply.json()["details"]) == (400, "invalid_default")


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("orders; drop table x", 400, "invalid_identifier"),
        ("Orders", 400, "invalid_identifier"),
        ("a" * 64, 400, "invalid_identifier"),
        ("int4", 400, "invalid_identifier"),
        ("tenants", 400, "invalid_identifier"),
        ("pg_class", 400, "invalid_identifier"),
        ("settings", 409, "table_exists"),
        ("settings_pkey", 409, "table_exists"),
    ],
)
def test_reserved_table_name_is_refused(
    environment: Environment, tenant: str, admin: Person, name: str, status: int, code: str
) -> None:
    reply = environment.function(
        admin, "create_table", schema_name=tenant, table_name=name, columns=COLUMNS
    )

    assert (reply.status_code, reply.json()["code"]) == (status, code)


@pytest.mark.parametrize("name", ["a", "a" * 63, "order", "select", "user", "table_1"])
def test_unusual_table_name_works_in_every_operation(
    environment: Environment, tenant: str, admin: Person, name: str
) -> None:
    create(environment, admin, tenant, name, [{"name": name, "type": "text"}])

    row = {name: "tea"}
    assert environment.rows(admin, tenant, name, "POST", json=row).status_code == 201
    # Without a filter by column: PostgREST has parameters named `order` and `select`.
    update = environment.rows(
        admin, tenant, name, "PATCH", json={name: "x"}, params={"id": "not.is.null"}
    )
    assert update.json()[0][name] == "x"
    log = environment.rpc(admin, "get_audit_log", schema_name=tenant, table_name=name).json()
    assert [entry["action"] for entry in log] == ["update", "insert"]
    dropped = environment.rpc(admin, "drop_table", schema_name=tenant, table_name=name)
    assert dropped.json()["table_name"] == name


@pytest.mark.parametrize(
    ("columns", "status", "code"),
    [
        ([*COLUMNS, *COLUMNS], 409, "column_exists"),
        ([{"name": "xmin", "type": "int"}], 400, "invalid_identifier"),
        ([{"name": "a", "type": "json", "primary_key": True}], 400, "invalid_column_type"),
        ([{"name": "a", "type": "regclass"}], 400, "invalid_column_type"),
        ([{"name": "a", "type": "auth.users"}], 400, "invalid_column_type"),
        ([{"name": "a", "type": "serial"}], 400, "invalid_column_type"),
        ([{"name": "a", "type": "int -- x"}], 400, "invalid_column_type"),
        ([{"name": "a", "type": "varchar(0)"}], 400, "invalid_column_type"),
        ([{"name": "a", "type": "numeric(2000)"}], 400, "invalid_column_type"),
        ([{"name": "a", "type": "int[][]"}], 400, "invalid_column_type"),
        (
            [{"name": "a", "type": "text); drop table public.victim; --"}],
            400,
            "invalid_column_type",
        ),
        ([{"name": "a"}], 422, "invalid_request"),
        ([{"name": "a", "type": "int", "nullable": "no"}], 422, "invalid_request"),
        ([{"name": "a", "type": "int", "check": "true"}], 422, "invalid_request"),
        ([{"name": f"c{n}", "type": "int"} for n in range(1000)], 422, "invalid_request"),
        (
            [{"name": f"c{n}", "type": "int", "primary_key": True} for n in range(33)],
            422,
            "invalid_request",
        ),
        ({"a": "int"}, 422, "invalid_request"),
        (["a"], 422, "invalid_request"),
    ],
)
def test_invalid_columns_are_refused_by_both_entry_points(
    environment: Environment, tenant: str, admin: Person, columns: Any, status: int, code: str
) -> None:
    asked = {"schema_name": tenant, "table_name": "orders", "columns": columns}
    function = environment.function(admin, "create_table", **asked)
    rpc = environment.rpc(admin, "create_table", **asked)

    assert (function.status_code, function.json()["code"]) == (status, code)
    assert (rpc.status_code, rpc.json()["details"]) == (status, code)


@pytest.mark.parametrize(
    ("column_type", "default", "allowed"),
    [
        ("text", "x" * 8_190, True),
        ("text", "x" * 8_193, False),
        ("text", "é" * 4_097, False),
        ("text[]", ["x" * 100] * 100, False),
        ("jsonb", {"a": "x" * 8_192}, False),
        ("jsonb", [[[1]]], True),
        # A short text of a long value.
        ("numeric", "1e8000", True),
        ("numeric", "1e9000", False),
        # A long text of a short value.
        ("numeric", "0" * 8_192 + "1", False),
    ],
    ids=[
        "8 KB",
        "more",
        "in bytes",
        "array",
        "json",
        "nested",
        "digits",
        "more digits",
        "leading zeros",
    ],
)
def test_default_has_at_most_8_kb(
    environment: Environment,
    tenant: str,
    admin: Person,
    table: str,
    column_type: str,
    default: Any,
    allowed: bool,
) -> None:
    create(environment, admin, tenant, table)
    column = {"name": "a", "type": column_type, "default": default}
    replies = (
        environment.rpc(
            admin, "create_table", schema_name=tenant, table_name=f"{table}_b", columns=[column]
        ),
        environment.rpc(
            admin,
            "add_column",
            schema_name=tenant,
            table_name=table,
            column_name="a",
            column_type=column_type,
            default_value=default,
        ),
    )

    for reply in replies:
        if allowed:
            assert reply.status_code == 200, reply.text
        else:
            assert refusal(reply) == (409, "default_limit")
            assert "8192 are allowed" in reply.json()["message"]
