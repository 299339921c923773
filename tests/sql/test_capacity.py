"""How many tenants a project holds: loads of the schema cache, and locks of a dump."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from support.backup import programs
from support.databases import complete_database
from support.environment import Address
from support.separate_data_api import separate_data_api
from tenantry_cli.doctor.cache_load import measure_cache_load
from tenantry_cli.emulator.postgres import Postgres

Database = psycopg.Connection[dict[str, Any]]

# Milliseconds of a load by the number of tenants with three tables, measured on two cores.
MEASURED = {1000: 800, 3000: 4000, 5000: 13000}


@pytest.fixture(scope="module")
def url(server: Postgres) -> Iterator[str]:
    with complete_database(server) as name:
        yield server.url(name)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    with psycopg.connect(url, row_factory=dict_row) as database:
        yield database
        database.rollback()


def measured(database: Database, tenants: int, milliseconds: int) -> None:
    database.execute(
        "insert into tenancy.cache_load_measurements values (clock_timestamp(), %s, %s, %s)",
        (tenants, tenants * 3, milliseconds),
    )


def forecast(database: Database) -> dict[int, int]:
    rows = database.execute("select * from tenancy.cache_load_forecast()")
    return {row["limit_seconds"]: row["tenants"] for row in rows}


def warnings(database: Database, check: str) -> list[str]:
    rows = database.execute(
        SQL("select f.detail from tenancy.{}() f").format(Identifier(check))
    )
    return [row["detail"] for row in rows]


@pytest.mark.parametrize("tenants", [1000, 3000])
def test_forecast_from_one_size_fits_the_others(database: Database, tenants: int) -> None:
    """Between 3,000 and 5,000 tenants the measured load passes 8 s."""
    assert forecast(database) == {}
    measured(database, tenants, MEASURED[tenants])

    found = forecast(database)

    assert list(found) == [8, 30, 60]
    assert 3000 < found[8] < 5000
    assert found[8] < found[30] < found[60]


def test_few_tables_make_no_forecast(database: Database) -> None:
    measured(database, 10, 150)

    assert forecast(database) == {}
    # Unless somebody assumes what a table costs, with the tables that the template has.
    rows = database.execute("select * from tenancy.cache_load_forecast(0.2)").fetchall()
    assert [row["limit_seconds"] for row in rows] == [8, 30, 60]
    assert 3000 < rows[0]["tenants"] < 5000


def test_doctor_warns_from_half_of_the_limit(database: Database) -> None:
    measured(database, 3000, 29000)
    assert warnings(database, "check_cache_load") == []
    measured(database, 3000, 31000)

    [warning] = warnings(database, "check_cache_load")

    assert warning.startswith(
        "The load of the schema cache took 31.0 s with 3000 tenants, and may take 60.0 s."
    )
    expected = ", ".join(
        f"{seconds} s with {tenants} tenants" for seconds, tenants in forecast(database).items()
    )
    assert expected.startswith("8 s with ")
    assert warning.endswith(f" By the forecast it takes {expected}.")


@pytest.mark.parametrize(
    ("timeout", "limit"), [("8s", 8000), ("500", 500), ("2min", 120000), ("0", None)]
)
def test_limit_is_the_one_of_authenticator(
    database: Database, timeout: str, limit: int | None
) -> None:
    database.execute(
        SQL("alter role authenticator in database {} set statement_timeout = {}").format(
            Identifier(database.info.dbname), timeout
        )
    )

    row = database.execute("select tenancy.cache_load_limit() as limit").fetchone()

    assert row == {"limit": limit}


def test_load_of_postgrest_is_measured_and_500_measurements_are_kept(
    server: Postgres, address: Address
) -> None:
    with (
        separate_data_api(server, address) as api,
        psycopg.connect(api.db_url, row_factory=dict_row, autocommit=True) as database,
    ):
        milliseconds = measure_cache_load(api.db_url)
        kept = "select * from tenancy.cache_load_measurements order by measured_at desc"
        row = database.execute(kept).fetchone()
        database.execute(
            "insert into tenancy.cache_load_measurements"
            " select now() - i * interval '1 day', 0, 0, i from generate_series(1, 600) i"
        )
        database.execute("select tenancy.record_cache_load(7)")
        rows = database.execute(kept).fetchall()

        assert milliseconds is not None
        assert 0 < milliseconds < 60_000
        assert row is not None
        assert row["milliseconds"] == milliseconds
        assert row["tenant_count"] == 0
        assert row["relation_count"] >= 4
        assert len(rows) == 500
        assert rows[0]["milliseconds"] == 7


def test_long_statement_of_a_load_is_seen(server: Postgres, url: str) -> None:
    """PostgreSQL shows 1,024 bytes of a statement. PostgREST names the tables after them."""
    authenticator = server.url(str(conninfo_to_dict(url)["dbname"]), "authenticator")
    statement = SQL("select pg_get_expr(null, 0), {} from pg_class, pg_sleep(1.5)").format(
        "x" * 1100
    )
    with psycopg.connect(authenticator, autocommit=True) as listener:
        listener.execute('listen "pgrst"')

        def load() -> None:
            for _ in listener.notifies(timeout=20, stop_after=1):
                with psycopg.connect(authenticator) as session:
                    session.execute(statement)

        with ThreadPoolExecutor(1) as thread:
            loading = thread.submit(load)
            milliseconds = measure_cache_load(url)
            loading.result()

    assert milliseconds is not None
    assert milliseconds >= 1400


def test_database_without_postgrest_is_not_measured(url: str) -> None:
    assert measure_cache_load(url) is None


def test_locks_are_those_that_pg_dump_takes(server: Postgres) -> None:
    with (
        complete_database(server) as name,
        psycopg.connect(server.url(name), row_factory=dict_row, autocommit=True) as database,
    ):
        for number in range(5):
            database.execute("select public.create_tenant_schema(%s)", (f"acme_{number}",))
        expected = database.execute("select * from tenancy.dump_locks()").fetchone()
        dump = subprocess.Popen(
            [programs() / "pg_dump", server.admin_url(name)],
            stdout=subprocess.PIPE,
            env={"PATH": os.environ["PATH"]},
        )
        # It writes when it has all its locks, and waits while nobody reads what fills the pipe.
        assert dump.stdout is not None
        select.select([dump.stdout], [], [])
        row = database.execute(
            "select count(*) as count from pg_locks l join pg_stat_activity a using (pid)"
            " join pg_class c on c.oid = l.relation"
            " where a.application_name = 'pg_dump' and a.datname = current_database()"
            " and c.relnamespace::regnamespace::text !~ '^(pg_|information_schema)'"
        ).fetchone()
        assert row is not None
        held = row["count"]
        dump.communicate()

        assert dump.returncode == 0
        assert expected is not None
        # It reads views late, and leaves out those of extensions.
        views = database.execute(
            "select count(*) as count from pg_class c where c.relkind = 'v'"
            " and c.relnamespace::regnamespace::text !~ '^(pg_|information_schema)'"
        ).fetchone()
        assert views is not None
        assert held <= expected["needed"] <= held + views["count"]
        limits = {
            row["name"]: int(row["setting"])
            for row in database.execute("select name, setting from pg_settings")
            if row["name"].startswith("max_") and row["setting"].isdecimal()
        }
        assert expected["available"] >= limits["max_locks_per_transaction"] * (
            limits["max_connections"] + limits["max_prepared_transactions"]
        )
        assert expected["most_tenants"] > 5
        assert warnings(database, "check_dump_locks") == []
