"""`tenantry migrate` takes its time with large tenants, and goes on where it was stopped."""

from __future__ import annotations

import signal
import subprocess

import psycopg
import pytest
from psycopg import sql

from support.fleet import ServedFleet
from support.waiting import until


@pytest.fixture
def table(served: ServedFleet) -> str:
    table = served.table()
    served.register(
        f"create table {table} (id bigint primary key, net bigint, total bigint)"
        # Large with few rows.
        " with (fillfactor = 10);"
        f"select tenancy.leave_unaudited(current_schema(), '{table}')"
    )
    return table


def fill(served: ServedFleet, tenant: str, table: str, rows: int) -> None:
    served.migrate(tenant)
    served.sql.execute(
        sql.SQL("insert into {} select i, i from generate_series(1, %s) i").format(
            sql.Identifier(tenant, table)
        ),
        (rows,),
    )


def register_backfill(served: ServedFleet, table: str) -> None:
    """About 0.4 s for each of the 40 blocks of 1,000 rows, so that many calls are needed."""
    served.register_backfill(
        f"update {table} set total = net where total is null and ctid >= $1 and ctid < $2"  # noqa: S608
        " and case when total is null then pg_sleep(0.002) is not null end",
        batch=1,
    )


def is_valid(served: ServedFleet, tenant: str, table: str) -> bool | None:
    row = served.sql.execute(
        "select i.indisvalid from pg_index i where i.indexrelid = to_regclass(%s)",
        (f"{tenant}.{table}_total",),
    ).fetchone()
    return row["indisvalid"] if row else None


def test_killed_run_is_continued_and_small_tenants_do_not_wait(
    served: ServedFleet, table: str
) -> None:
    large, small, new = served.tenants(3)
    fill(served, large, table, 1000)
    fill(served, small, table, 5)
    register_backfill(served, table)

    running = served.begin("migrate")
    assert running.stderr is not None
    said = next(line for line in running.stderr if "rows done, about" in line)
    running.send_signal(signal.SIGKILL)
    running.communicate(timeout=60)
    assert f"{large}, " in said
    assert 0 < served.missing(large, table, "total") < 1000
    assert served.missing(small, table, "total") == 0

    report = served.roll_out()
    assert report["migrated"] == [large]
    assert report["rows_changed"] == 1000
    assert served.missing(large, table, "total") == 0
    assert served.versions()[new] == served.latest()


def building(served: ServedFleet) -> int | None:
    """The backend that builds an index concurrently."""
    row = served.sql.execute(
        "select pid from pg_stat_activity where query like 'create index concurrently%'"
        " and state = 'active'"
    ).fetchone()
    return row["pid"] if row else None


@pytest.fixture
def large_tenant(served: ServedFleet, table: str) -> str:
    tenant = served.tenant()
    fill(served, tenant, table, 50_000)
    served.register_index(f"create index {table}_total on {table} (total)")
    return tenant


def begin_with_database(served: ServedFleet) -> subprocess.Popen[str]:
    return served.begin("migrate", "--db-url", served.address.db_url)


def test_index_of_a_large_table_is_built_while_it_is_written(
    served: ServedFleet, table: str, large_tenant: str
) -> None:
    with psycopg.connect(served.address.db_url) as writer:
        # An open transaction holds up the build, and so shows that it is concurrent.
        insert = sql.SQL("insert into {} values (%s)").format(
            sql.Identifier(large_tenant, table)
        )
        writer.execute(insert, (0,))
        running = begin_with_database(served)
        until(lambda: building(served) is not None)
        served.sql.execute(insert, (-1,))
        # The build is interrupted, and leaves an invalid index.
        until(lambda: is_valid(served, large_tenant, table) is False)
        served.sql.execute("select pg_terminate_backend(%s)", (building(served),))
        running.communicate(timeout=60)
        assert running.returncode == 1
        writer.rollback()
    assert is_valid(served, large_tenant, table) is False

    running = begin_with_database(served)
    running.communicate(timeout=60)
    assert running.returncode == 0
    assert is_valid(served, large_tenant, table) is True
    assert served.drift(large_tenant) == []


def test_migration_with_a_higher_limit_needs_the_database(
    served: ServedFleet, table: str
) -> None:
    tenant = served.tenant()
    fill(served, tenant, table, 1)
    served.sql.execute(
        "select tenancy.register_tenant_migration('slow', 'slow', %s, limit_seconds => 30)",
        (
            f"alter table {table} add note text;"
            f"do $$begin perform pg_sleep(5.5) from {table}; end$$",
        ),
    )

    [failure] = served.roll_out()["failed"]
    assert failure["sqlstate"] == "57014"
    assert "run `tenantry migrate` with --db-url" in failure["message"]
    report = served.roll_out("--retry-failed", "--db-url", served.address.db_url)
    assert report["migrated"] == [tenant]
