"""A reply waits until PostgREST has loaded what the operation changed, but not for long."""

import json

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


def test_reply_waits_for_the_cache_with_the_callers_token(
    start: Start, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    admin = User(start("ddl_operations", TENANTRY_CACHE_WAIT_SECONDS="20"))
    upstream.will(result([COLUMN]), UNKNOWN, UNKNOWN, KNOWN)

    reply = admin.post("create_table", NEW_TABLE)

    assert (reply.status_code, reply.json) == (200, [COLUMN])
    assert "X-Tenantry-Pending" not in reply.headers
    assert "pending" not in json.loads(capsys.readouterr().out)
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
    assert json.loads(capsys.readouterr().out)["pending"] == "schema-cache"
    assert (len(upstream.received) == 1) == (seconds == "0")


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
    }
    table = {"column_count": 1, "row_estimate": 0, "total_bytes": 0, "description": None}
    tables = [{"table_name": name, **table} for name in ("orders", "users")]
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
