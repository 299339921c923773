"""Migrating many tenants: time, failures, killed commands and databases, and readers."""

from __future__ import annotations

import os
import queue
import signal
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import psycopg
import pytest
from psycopg import sql

from support.fleet import ServedFleet
from support.waiting import until

FULL = os.environ.get("TENANTRY_SOAK") == "1"
TENANTS = 1000 if FULL else 12
# One tenant in so many has each of three causes of failure.
STEP = 30 if FULL else 12
# For each killed process, so a full-size run has ten kills.
ROUNDS = 5 if FULL else 1
WORKERS = 4

MIGRATION = """
    create table {0} (
        id bigint primary key generated always as identity,
        by_user uuid references users (id),
        total numeric not null default 0
    );
    create index on {0} (by_user);
    alter table users add column phone_{0} text;
    update users set phone_{0} = email;
"""


def plain_loop(served: ServedFleet, statements: str, table: str, names: list[str]) -> float:
    """Seconds of a script that makes the same changes in these tenants without any check."""
    free: queue.SimpleQueue[psycopg.Connection] = queue.SimpleQueue()

    def one(name: str) -> None:
        connection = free.get()
        with connection.transaction():
            connection.execute(
                sql.SQL("set local search_path = {}, extensions").format(sql.Identifier(name))
            )
            connection.execute(statements.encode())
            connection.execute("select tenancy.enable_tenant_table(%s, %s)", (name, table))
            connection.execute("select tenancy.audit_table(%s, 'users')", (name,))
            connection.execute("select tenancy.apply_tenant_privileges(%s)", (name,))
            connection.execute(
                "update public.tenants set schema_version = tenancy.latest_tenant_version()"
                " where schema_name = %s",
                (name,),
            )
        free.put(connection)

    with ExitStack() as stack, ThreadPoolExecutor(WORKERS) as pool:
        for _ in range(WORKERS):
            connection = psycopg.connect(served.address.db_url, autocommit=True)
            free.put(stack.enter_context(connection))
        started = time.perf_counter()
        list(pool.map(one, names))
        return time.perf_counter() - started


@pytest.mark.soak
def test_fleet_is_migrated_in_the_time_of_a_plain_loop(served: ServedFleet) -> None:
    """`pytest -s` shows the numbers. The limits are for a machine without other load."""
    names = served.tenants(TENANTS)
    for name in names:
        served.sql.execute(
            sql.SQL(
                "insert into {}.users (id, email) select gen_random_uuid(), n || '@example.com'"
                " from generate_series(1, 20) n"
            ).format(sql.Identifier(name))
        )
    served.settle()
    plain = ours = 0.0
    # Each side is first once, because costs grow with the number of migrations.
    for first in ("loop", "command"):
        for turn in (first, *({"loop", "command"} - {first})):
            table = served.table()
            statements = MIGRATION.format(table)
            served.register(statements)
            if turn == "loop":
                plain += plain_loop(served, statements, table, names)
            else:
                report = served.roll_out("--workers", str(WORKERS))
                ours += report["seconds"]
                assert sorted(report["migrated"]) == names
            # The loop and the command make the same objects.
            assert served.drift(names[0]) == []
    started = time.perf_counter()
    nothing = served.begin("migrate")
    nothing.communicate()
    idle = time.perf_counter() - started

    assert nothing.returncode == 0
    assert set(served.versions().values()) == {served.latest()}
    print(
        f"\n{TENANTS} tenants twice, {WORKERS} connections: plain loop {plain:.2f} s, "
        f"tenantry migrate {ours:.2f} s = {ours / plain:.2f} x; "
        f"nothing to do for {TENANTS}: {idle:.2f} s"
    )
    assert idle < (1 if FULL else 20)
    assert ours < plain * (1.5 if FULL else 10)


@pytest.mark.soak
def test_failures_of_one_in_ten_have_reasons_and_a_fix_completes_the_run(
    served: ServedFleet,
) -> None:
    names, table = served.tenants(TENANTS), served.table()
    served.settle()
    firsts = (0, STEP // 3, 2 * STEP // 3)
    conflicting, locked, invalid = (names[first::STEP] for first in firsts)
    causes = dict.fromkeys(conflicting, "42P07")
    causes |= dict.fromkeys(locked, "55P03")
    causes |= dict.fromkeys(invalid, "22012")
    served.register(
        f"create table {table} (id bigint primary key);"  # noqa: S608
        f" alter table settings add column {table} integer;"
        f" update settings set {table} = 1 / (value #>> '{{}}')::integer where key = 'divisor'"
    )
    for name in conflicting:
        served.sql.execute(
            sql.SQL("create table {}.{} ()").format(sql.Identifier(name), sql.Identifier(table))
        )
    for name in invalid:
        served.sql.execute(
            sql.SQL("insert into {}.settings (key, value) values ('divisor', '0')").format(
                sql.Identifier(name)
            )
        )
    with psycopg.connect(served.address.db_url) as holder:
        for name in locked:
            holder.execute(
                sql.SQL("lock table {}.settings in access share mode").format(
                    sql.Identifier(name)
                )
            )
        report = served.roll_out("--workers", str(WORKERS))

    assert sorted(report["migrated"]) == [name for name in names if name not in causes]
    assert {f["schema_name"]: f["sqlstate"] for f in report["failed"]} == causes
    assert all(failure["message"] for failure in report["failed"])
    shown = served.command("migrate")
    assert shown.exit_code == 1
    assert all(name in shown.stdout for name in causes)

    for name in conflicting:
        served.sql.execute(
            sql.SQL("drop table {}.{}").format(sql.Identifier(name), sql.Identifier(table))
        )
    for name in invalid:
        served.sql.execute(
            sql.SQL("update {}.settings set value = '2' where key = 'divisor'").format(
                sql.Identifier(name)
            )
        )
    assert sorted(served.roll_out("--retry-failed")["migrated"]) == sorted(causes)
    assert set(served.versions().values()) == {served.latest()}
    for name in (conflicting[0], locked[0], invalid[0]):
        assert served.drift(name) == []


@pytest.mark.soak
@pytest.mark.parametrize("killed", ["command", "database"])
def test_killed_run_is_completed_by_the_next(served: ServedFleet, killed: str) -> None:
    names = served.tenants(TENANTS)
    served.settle()
    for _ in range(ROUNDS):
        table = served.table()
        # An ephemeral emulator confirms before it writes to disk. The migrations must survive
        # the crash.
        served.sql.execute("set synchronous_commit = on")
        served.register(f"create table {table} (id bigint primary key)")
        version = served.register(f"insert into {table} values (1)")  # noqa: S608

        run = served.begin("migrate", "--workers", "2")
        while version not in served.versions().values():
            assert run.poll() is None, run.communicate()
        if killed == "command":
            run.kill()
        else:
            kill_database(served)
        run.communicate(timeout=120)

        completed = served.command("migrate")

        assert completed.exit_code == 0, completed.stderr
        assert set(served.versions().values()) == {version}
        for name in names:
            rows = served.sql.execute(
                sql.SQL("select id from {}.{}").format(
                    sql.Identifier(name), sql.Identifier(table)
                )
            ).fetchall()
            assert [row["id"] for row in rows] == [1]


def kill_database(served: ServedFleet) -> None:
    """Kills one session. PostgreSQL then ends all other sessions and recovers."""
    worker = served.sql.execute(
        "select pid from pg_stat_activity where usename = 'authenticator' limit 1"
    ).fetchone()
    assert worker is not None
    os.kill(worker["pid"], signal.SIGKILL)

    def is_down() -> bool:
        try:
            served.sql.execute("select 1")
        except psycopg.OperationalError:
            return True
        return False

    def is_back() -> bool:
        try:
            served.reconnect()
        except psycopg.OperationalError:
            return False
        return True

    # PostgreSQL ends the other sessions a moment later, and a session started before that, too.
    until(is_down, 60)
    until(is_back, 60)


@pytest.mark.soak
def test_reader_gets_no_error_and_waits_only_briefly(served: ServedFleet) -> None:
    tenant = served.tenants(TENANTS if FULL else 4)[0]
    served.settle()
    reader = served.member(tenant, "read")
    served.wait_until_served(tenant, "settings", "key")
    waits: list[float] = []
    finished = threading.Event()

    def read() -> None:
        with httpx.Client(
            base_url=served.address.postgrest_url,
            headers=served.headers(reader) | {"Accept-Profile": tenant},
            timeout=30,
        ) as http:
            while not finished.is_set():
                started = time.perf_counter()
                reply = http.get("/settings")
                waits.append(time.perf_counter() - started)
                assert reply.status_code == 200, reply.text

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        try:
            for _ in range(30 if FULL else 5):
                served.register(f"alter table settings add column {served.table()} text")
                assert served.migrate(tenant)["outcome"] == "migrated"
        finally:
            finished.set()
        reading.result()

    print(
        f"\n{len(waits)} reads: median {statistics.median(waits) * 1000:.1f} ms, "
        f"longest {max(waits) * 1000:.0f} ms"
    )
    assert max(waits) < (0.15 if FULL else 2)
