"""A mistaken tenant migration: stuck tenants, withdrawing it, and replacing its text."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.sql import SQL, Identifier

from support.fleet import Fleet, ServedFleet
from support.refusals import refusal
from tenantry_cli.main import main

CHECK = "alter table {0} add constraint {0}_total check (total > 0)"


def add_orders(fleet: Fleet) -> str:
    """A table that every tenant of the test has."""
    table = fleet.table()
    fleet.register(f"create table {table} (id bigint primary key, total int)")
    return table


def insert(fleet: Fleet, tenant: str, table: str, total: int) -> None:
    fleet.sql.execute(
        SQL("insert into {} values (%s, %s)").format(Identifier(tenant, table)), (total, total)
    )


def test_stuck_tenant_is_shown_until_the_migration_is_withdrawn(served: ServedFleet) -> None:
    orders = add_orders(served)
    tenant = served.tenant()
    insert(served, tenant, orders, -1)
    before = served.objects("tenant_template")
    version = served.register(CHECK.format(orders))
    later = served.register(f"alter table {orders} add column note text")
    first, second = served.migrate(tenant), served.migrate(tenant)
    assert first["outcome"] == second["outcome"] == "failed"

    status = served.rpc(served.service, "get_migration_status").json()
    [stuck] = status["stuck_tenants"]
    assert (status["stuck"], stuck["schema_name"], stuck["version"]) == (1, tenant, version)
    assert (stuck["sqlstate"], stuck["attempts"]) == ("23514", 2)
    assert stuck["stuck_since"] < stuck["failed_at"]
    [difference] = served.drift(tenant)
    assert (difference["object_kind"], difference["object_name"]) == ("migration", version)
    assert stuck["message"] in difference["found"]
    [finding] = served.sql.execute("select * from tenancy.platform_findings()").fetchall()
    assert (finding["kind"], finding["object"]) == ("stuck tenant", tenant)
    assert stuck["message"] in finding["detail"]
    shown = served.command("drift", "--json")
    assert shown.exit_code == 1
    assert json.loads(shown.stdout) == {tenant: [difference]}

    super_admin, admin = served.staff("super_admin"), served.staff("admin")
    withdraw = "withdraw_tenant_migration"
    assert refusal(served.rpc(admin, withdraw, version=version)) == (403, "forbidden")
    done = served.rpc(super_admin, withdraw, version=version).raise_for_status().json()

    assert (done["latest_version"], done["stuck"], done["stuck_tenants"]) == (later, 0, [])
    assert refusal(served.rpc(super_admin, withdraw, version=version)) == (
        404,
        "migration_not_found",
    )
    assert refusal(served.rpc(super_admin, withdraw, version="tenantry_0001")) == (
        422,
        "invalid_request",
    )
    entry = served.sql.execute(
        "select details from public.admin_audit_log where action = 'migration.withdraw'"
        " order by id desc limit 1"
    ).fetchone()
    assert entry is not None
    assert entry["details"]["before"]["version"] == version
    positions = served.sql.execute(
        "select array_agg(position order by position) as found,"
        " array_agg(row_number order by position) as expected from ("
        "select position, row_number() over (order by position)::int"
        " from tenancy.tenant_migrations) p"
    ).fetchone()
    assert positions is not None
    assert positions["found"] == positions["expected"]
    assert served.migrate(tenant)["outcome"] == "migrated"
    assert served.versions()[tenant] == later
    names = {name for _, name, *_ in served.objects("tenant_template")}
    assert names - {name for _, name, *_ in before} == {f"{orders}.note"}
    for name in (tenant, served.tenant()):
        assert served.drift(name) == []


def test_received_migration_is_not_withdrawn_nor_is_one_that_others_need(
    served: ServedFleet,
) -> None:
    orders = add_orders(served)
    version = served.register(f"alter table {orders} add column note text")
    needing = served.register(f"alter table {orders} alter note set default 'none'")
    refused = served.rpc(served.service, "withdraw_tenant_migration", version=version)
    assert refusal(refused) == (422, "migration_refused")
    assert "note" in refused.json()["message"]

    tenant = served.tenant()
    refused = served.rpc(served.service, "withdraw_tenant_migration", version=needing)
    assert refusal(refused) == (409, "migration_received")
    assert tenant in refused.json()["message"]
    assert served.latest() == needing
    assert served.drift(tenant) == []


def test_replaced_text_is_for_the_tenants_that_lack_it(served: ServedFleet) -> None:
    orders = add_orders(served)
    stuck, waiting = served.tenant(), served.tenant()
    insert(served, stuck, orders, -1)
    version = served.register(CHECK.format(orders))
    has_it = served.tenant()
    assert served.migrate(stuck)["outcome"] == "failed"

    def replace(statements: str, caller: str = "super_admin") -> tuple[int, str | None]:
        reply = served.rpc(
            served.staff(caller),
            "replace_tenant_migration",
            version=version,
            statements=statements,
        )
        return (200, None) if reply.is_success else refusal(reply)

    # Wherever a tenant stands that has the old text, the new one must lead to the same objects.
    weaker = CHECK.format(orders).replace("> 0", ">= -1")
    assert replace(weaker) == (409, "migration_received")
    assert replace("nonsense") == (422, "migration_refused")
    assert replace(" ") == (422, "invalid_request")
    correction = f"update {orders} set total = 1 where total <= 0; {CHECK.format(orders)}"  # noqa: S608
    assert replace(correction, "admin") == (403, "forbidden")
    assert replace(correction) == (200, None)

    report = served.roll_out()
    assert sorted(report["migrated"]) == sorted([stuck, waiting])
    assert report["skipped"] == []
    # A migration that leads from both texts to the same objects makes the weaker text possible.
    late = served.tenant()
    served.sql.execute("select public.suspend_tenant(%s)", (late,))
    second = served.register(f"alter table {orders} drop constraint {orders}_total; {weaker}")
    assert len(served.roll_out()["migrated"]) == 4
    assert replace(weaker) == (200, None)
    for name in (stuck, waiting, has_it, late, served.tenant()):
        assert served.versions()[name] == second
        assert served.drift(name) == []


def written(folder: Path, name: str, *arguments: str) -> str:
    """The file that `tenantry new` writes."""
    done = CliRunner().invoke(main, ["new", name, *arguments])
    assert done.exit_code == 0, done.output
    *_, path = sorted((folder / "supabase/migrations").iterdir())
    return path.read_text()


def test_migration_file_withdraws_and_replaces_in_a_new_database(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `supabase db push` does: all files in their order, in a database without tenants."""
    orders = add_orders(fleet)
    (tmp_path / "supabase/migrations").mkdir(parents=True)
    (tmp_path / "supabase/config.toml").touch()
    (tmp_path / "supabase/migrations/20200101000000_tenantry_0_1_0.sql").touch()
    monkeypatch.chdir(tmp_path)
    refused = CliRunner().invoke(main, ["new", "correct_it", "--withdraw", "a1'); drop"])
    assert (refused.exit_code, "is not a version" in refused.output) == (2, True)
    register = "select tenancy.register_tenant_migration"
    registrations = [
        f"{register}('a1', 'a', 'alter table {orders} add a int')",
        f"{register}('a2', 'a', 'alter table {orders} add b int')",
    ]
    for number, registration in enumerate(registrations):
        file = tmp_path / f"supabase/migrations/2026010100000{number}_add_column.sql"
        file.write_text(registration)
    replacement = written(tmp_path, "replace_a2", "--replace", "a2").replace(
        "$tenant$\n\n", f"$tenant$alter table {orders} add c int"
    )
    withdrawal = written(tmp_path, "withdraw_a1", "--withdraw", "a1")
    with psycopg.connect(fleet.address.db_url) as session:
        for statement in (registrations[0], withdrawal, registrations[1], replacement):
            session.execute(statement.encode())
        rows = session.execute(
            "select version, statements from tenancy.tenant_migrations"
            " where version in ('a1', 'a2')"
        ).fetchall()
        found = session.execute(
            "select object_name from tenancy.schema_objects('tenant_template')"
            " where object_name like %s",
            (f"{orders}._",),
        ).fetchall()
        session.rollback()
    assert rows == [("a2", f"alter table {orders} add c int")]
    assert found == [(f"{orders}.c",)]


class Beside(threading.Thread):
    """A call in another session, which waits for the lock of the test's session."""

    def __init__(self, fleet: Fleet, call: str, argument: str) -> None:
        super().__init__()
        self._fleet, self._call, self._argument = fleet, call, argument
        self.result: tuple[Any, ...] | str | None = None

    def run(self) -> None:
        with psycopg.connect(self._fleet.address.db_url, autocommit=True) as other:
            try:
                found = other.execute(f"select {self._call}".encode(), (self._argument,))
                self.result = found.fetchone()
            except psycopg.Error as error:
                self.result = error.diag.message_detail

    def start_and_wait(self) -> None:
        """Returns when the call waits."""
        self.start()
        while not self._fleet.sql.execute(
            "select pid from pg_stat_activity where wait_event_type = 'Lock'"
            " and datname = current_database() and position(%s in query) > 0"
            " and pid <> pg_backend_pid()",
            (self._call.split("(%s)")[0],),
        ).fetchone():
            assert self.is_alive(), self.result


def test_no_tenant_slips_past_a_withdrawal(fleet: Fleet) -> None:
    """A tenant that is created meanwhile waits, and starts at the version that is left."""
    orders = add_orders(fleet)
    latest = fleet.latest()
    version = fleet.register(f"alter table {orders} add column note text")
    name = fleet.name()
    creation = Beside(fleet, "(public.create_tenant_schema(%s)).schema_version", name)

    with psycopg.connect(fleet.address.db_url) as session:
        session.execute("select public.withdraw_tenant_migration(%s)", (version,))
        creation.start_and_wait()
        session.commit()
        creation.join()

    assert creation.result == (latest,)
    assert fleet.drift(name) == []


def test_withdrawal_waits_for_a_tenant_that_is_being_created(fleet: Fleet) -> None:
    orders = add_orders(fleet)
    version = fleet.register(f"alter table {orders} add column note text")
    withdrawal = Beside(fleet, "public.withdraw_tenant_migration(%s)", version)

    with psycopg.connect(fleet.address.db_url) as session:
        session.execute("select public.create_tenant_schema(%s)", (fleet.name(),))
        withdrawal.start_and_wait()
        session.commit()
        withdrawal.join()

    assert withdrawal.result == "migration_received"
    assert fleet.latest() == version
