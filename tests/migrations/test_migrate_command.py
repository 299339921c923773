"""`tenantry migrate` and `tenantry drift`, as an operator runs them."""

from __future__ import annotations

import json

import psycopg
from psycopg import sql

from support.fleet import Fleet


def add_conflict(fleet: Fleet, tenant: str, table: str) -> None:
    """Creates an own table with the name of the migration's table."""
    fleet.sql.execute(
        sql.SQL("create table {}.{} ()").format(sql.Identifier(tenant), sql.Identifier(table))
    )


def remove_conflict(fleet: Fleet, tenant: str, table: str) -> None:
    fleet.sql.execute(
        sql.SQL("drop table {}.{}").format(sql.Identifier(tenant), sql.Identifier(table))
    )


def test_one_tenant_fails_the_others_succeed_and_a_fix_completes_the_run(fleet: Fleet) -> None:
    tenants, table = fleet.tenants(10), fleet.table()
    add_conflict(fleet, tenants[3], table)
    version = fleet.register(f"create table {table} (id bigint primary key)")

    first = fleet.roll_out()

    assert first["latest_version"] == version
    assert sorted(first["migrated"]) == [name for name in tenants if name != tenants[3]]
    [failure] = first["failed"]
    assert (failure["schema_name"], failure["sqlstate"]) == (tenants[3], "42P07")
    assert "already exists" in failure["message"]

    shown = fleet.command("migrate")
    assert shown.returncode == 1
    assert tenants[3] in shown.stdout
    assert "--retry-failed" in shown.stdout

    remove_conflict(fleet, tenants[3], table)
    assert fleet.roll_out("--retry-failed")["migrated"] == [tenants[3]]
    done = fleet.command("migrate")
    assert done.returncode == 0
    assert "Nothing to do" in done.stdout
    assert fleet.command("drift").returncode == 0


def test_failed_canary_stops_the_run(fleet: Fleet) -> None:
    tenants, table = fleet.tenants(4), fleet.table()
    add_conflict(fleet, tenants[0], table)
    fleet.register(f"create table {table} (id bigint primary key)")

    report = fleet.roll_out("--canary", "1")

    assert [failure["schema_name"] for failure in report["failed"]] == [tenants[0]]
    assert report["not_started"] == tenants[1:]
    assert report["migrated"] == []
    assert fleet.roll_out("--canary", "1")["migrated"] != []


def test_stop_on_error_starts_no_other_tenant(fleet: Fleet) -> None:
    tenants, table = fleet.tenants(4), fleet.table()
    add_conflict(fleet, tenants[1], table)
    fleet.register(f"create table {table} (id bigint primary key)")

    report = fleet.roll_out("--stop-on-error", "--workers", "1")

    assert report["migrated"] == tenants[:1]
    assert report["not_started"] == tenants[2:]


def test_dry_run_changes_nothing_and_tenant_option_selects_one(fleet: Fleet) -> None:
    tenants = fleet.tenants(2)
    before = fleet.versions()
    version = fleet.register("select 1")

    planned = fleet.command("migrate", "--dry-run")

    assert planned.returncode == 0
    assert f"{tenants[0]}: {before[tenants[0]]} → {version}, 1 to apply" in planned.stdout
    assert fleet.versions() == before
    assert fleet.roll_out("--tenant", tenants[1])["migrated"] == [tenants[1]]
    assert fleet.versions()[tenants[0]] == before[tenants[0]]
    unknown = fleet.command("migrate", "--tenant", "nobody_at_all")
    assert unknown.returncode == 1
    assert "There is no tenant" in unknown.stderr


def test_several_pending_migrations_are_applied_in_their_order(fleet: Fleet) -> None:
    tenants, table = fleet.tenants(3), fleet.table()
    fleet.register(f"create table {table} (id bigint primary key)")
    fleet.register(f"insert into {table} values (1)")  # noqa: S608
    fleet.register(f"alter table {table} add column note text")

    report = fleet.roll_out()

    assert sorted(report["migrated"]) == tenants
    assert report["migrations_applied"] == 9


def test_drift_names_the_tenant(fleet: Fleet) -> None:
    tenants = fleet.tenants(2)
    with psycopg.connect(fleet.address.db_url) as database:
        database.execute(
            sql.SQL("alter table {}.users alter role drop not null").format(
                sql.Identifier(tenants[1])
            )
        )

    shown = fleet.command("drift")

    assert shown.returncode == 1
    assert "1 of 2 tenants" in shown.stdout
    assert tenants[1] in shown.stdout
    assert tenants[0] not in shown.stdout


def test_drift_cuts_a_long_text_and_names_the_option_for_the_full_text(fleet: Fleet) -> None:
    tenant = fleet.tenant()
    body = "\n".join(f"-- {number} {'x' * 20}" for number in range(50))
    with psycopg.connect(fleet.address.db_url) as database:
        database.execute(
            sql.SQL("create function {}.idle() returns void language sql as {}").format(
                sql.Identifier(tenant), sql.Literal(body)
            )
        )

    shown = fleet.command("drift", "--tenant", tenant)
    full = fleet.command("drift", "--tenant", tenant, "--json")

    assert (shown.returncode, full.returncode) == (1, 1)
    assert len(shown.stdout.splitlines()) < 40
    assert "--json prints them in full" in shown.stdout
    found = [row["found"] for row in json.loads(full.stdout)[tenant]]
    assert any(body in (text or "") for text in found)
