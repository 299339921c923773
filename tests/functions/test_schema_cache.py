"""A reply waits until PostgREST has loaded what the operation changed, but not for long."""

import json
from typing import Any

import pytest

from support.callers import Start, User
from support.upstream import Reply, Upstream, error, result

COLUMN = {
    "column_name": "id",
    "ordinal_position": 1,
    "data_type": "bigint",
    "is_nullable": False,
    "column_default": None,
    "is_primary_key": True,
    "is_identity": True,
    "description": None,
}
NEW_TABLE = {"schema_name": "acme", "table_name": "orders", "columns": []}
UNKNOWN = Reply(404, b"{}")
NOBODY = "z" * 64
KNOWN = error(400, "PGRST204", f"Could not find the '{NOBODY}' column of 'orders'.")
ORDERS = {"schema_name": "acme", "table_name": "orders"}
TABLE = {"column_count": 1, "row_estimate": 0, "total_bytes": 0, "description": None}
KEY = {
    "constraint_name": "orders_b_fkey",
    "columns": ["b"],
    "foreign_table": "users",
    "foreign_columns": ["id"],
    "on_update": "NO ACTION",
    "on_delete": "NO ACTION",
}
NOW = "2026-11-23T14:30:00.353417+00:00"
TENANT = {
    "id": "8179d0f2-19d1-47d0-8c01-2089ec389ed3",
    "schema_name": "acme",
    "display_name": "Acme",
    "status": "suspended",
    "suspended_at": NOW,
    "suspension_reason": None,
    "schema_version": "tenantry_0001",
    "created_at": NOW,
    "created_by": None,
    "updated_at": NOW,
}
UNRELATED = "Could not find a relationship between 'orders' and '{}'"


def last_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return line


def test_reply_waits_for_the_cache_with_the_callers_token(
    start: Start, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    admin = User(start("ddl_operations", TENANTRY_CACHE_WAIT_SECONDS="20"))
    upstream.will(result([COLUMN]), UNKNOWN, UNKNOWN, KNOWN)

    reply = admin.post("create_table", NEW_TABLE)

    assert (reply.status_code, reply.json) == (200, [COLUMN])
    assert "X-Tenantry-Pending" not in reply.headers
    assert "pending" not in last_line(capsys)
    _, *asked = upstream.received
    assert len(asked) == 3
    for question in asked:
        assert question.path == f"/rest/v1/orders?columns=id%2C{NOBODY}"
        assert question.headers["Content-Profile"] == "acme"
        assert question.headers["Authorization"] == f"Bearer {admin.token}"
        assert question.headers["apikey"] == "the-anon-key"
        assert question.headers["X-Request-Id"] == reply.headers["X-Request-Id"]
        # Whatever PostgREST does with it, it inserts no row.
        assert question.body == []


@pytest.mark.parametrize("seconds", ["0", "0.2"])
def test_reply_says_that_the_wait_has_ended_without_the_cache(
    start: Start, upstream: Upstream, capsys: pytest.CaptureFixture[str], seconds: str
) -> None:
    admin = User(start("ddl_operations", TENANTRY_CACHE_WAIT_SECONDS=seconds))
    # After these replies the connection fails, which counts as not loaded, too.
    upstream.will(result([COLUMN]), *[UNKNOWN] * 3)

    reply = admin.post("create_table", NEW_TABLE, Origin="https://app.example")

    assert (reply.status_code, reply.json) == (200, [COLUMN])
    assert reply.headers["X-Tenantry-Pending"] == "schema-cache"
    assert "X-Tenantry-Pending" in reply.headers["Access-Control-Expose-Headers"]
    assert last_line(capsys)["pending"] == "schema-cache"
    assert (len(upstream.received) == 1) == (seconds == "0")


@pytest.mark.parametrize(
    ("group", "operation", "arguments", "done", "before", "after"),
    [
        (
            "ddl_operations",
            "drop_table",
            ORDERS,
            {"table_name": "orders", **TABLE},
            KNOWN,
            UNKNOWN,
        ),
        (
            "ddl_operations",
            "drop_column",
            {**ORDERS, "column_name": "b"},
            COLUMN,
            KNOWN,
            error(400, "PGRST204", "Could not find the 'b' column of 'orders'"),
        ),
        (
            "ddl_operations",
            "drop_foreign_key",
            {**ORDERS, "constraint_name": "orders_b_fkey"},
            KEY,
            error(400, "PGRST200", UNRELATED.format(NOBODY)),
            error(400, "PGRST200", UNRELATED.format("orders_b_fkey")),
        ),
        (
            "schema_management",
            "delete_tenant_schema",
            {"schema_name": "acme"},
            TENANT,
            UNKNOWN,
            error(406, "PGRST106", "The schema must be one of the following: public"),
        ),
    ],
    ids=["table", "column", "foreign key", "tenant"],
)
def test_reply_waits_until_what_was_dropped_is_unknown(
    start: Start,
    upstream: Upstream,
    group: str,
    operation: str,
    arguments: dict[str, Any],
    done: dict[str, Any],
    before: Reply,
    after: Reply,
) -> None:
    admin = User(start(group, TENANTRY_CACHE_WAIT_SECONDS="20"))
    upstream.will(result(done), before, before, after)

    reply = admin.post(operation, arguments)

    assert (reply.status_code, reply.json) == (200, done)
    assert "X-Tenantry-Pending" not in reply.headers
    assert len(upstream.received) == 4


def test_reply_about_a_migration_waits_for_all_tables_of_the_tenant(
    start: Start, upstream: Upstream
) -> None:
    staff = User(start("tenant_migrations", TENANTRY_CACHE_WAIT_SECONDS="20"))
    migrated = {
        "schema_name": "acme",
        "outcome": "migrated",
        "version": "20270120090000",
        "pending": 0,
        "sqlstate": None,
        "message": None,
        "name": "add_title",
        "pass_number": None,
        "rows_done": None,
        "rows_left": None,
        "seconds_left": None,
    }
    tables = [{"table_name": name, **TABLE} for name in ("orders", "users")]
    columns = [result([COLUMN]), result([{**COLUMN, "column_name": "title"}])]
    upstream.will(result(migrated), result(tables), *columns, KNOWN, UNKNOWN, KNOWN)

    reply = staff.post("migrate_tenant", {"schema_name": "acme"})

    assert (reply.status_code, reply.json) == (200, migrated)
    assert "X-Tenantry-Pending" not in reply.headers
    asked = [received.path for received in upstream.received[4:]]
    users = f"/rest/v1/users?columns=title%2C{NOBODY}"
    assert asked == [f"/rest/v1/orders?columns=id%2C{NOBODY}", users, users]

    # An error of a question is not the call's: the migration is done.
    upstream.will(result(migrated), error(500, "XX000"))
    failed = staff.post("migrate_tenant", {"schema_name": "acme"})
    assert (failed.status_code, failed.json) == (200, migrated)
    assert failed.headers["X-Tenantry-Pending"] == "schema-cache"
