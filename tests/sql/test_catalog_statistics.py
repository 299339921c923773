"""`tenancy.refresh_catalog_statistics`: the load of the cache does not wait for autovacuum."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from support.databases import complete_database
from tenantry_cli.emulator.postgres import Postgres

Database = psycopg.Connection[dict[str, Any]]

# Only a superuser may write a catalog. Every row of pg_constraint is written as it is.
CHANGES = """
set allow_system_table_mods = on;
update pg_catalog.pg_constraint set conislocal = conislocal where true;
select pg_stat_force_next_flush();
"""


@pytest.fixture(scope="module")
def url(server: Postgres) -> Iterator[str]:
    with complete_database(server) as name:
        admin = make_conninfo(server.admin_url(), dbname=name)
        with psycopg.connect(admin, autocommit=True) as superuser:
            # Otherwise it may come between a change and the session that shall see it.
            superuser.execute("set allow_system_table_mods = on")
            superuser.execute("alter table pg_constraint set (autovacuum_enabled = false)")
        yield server.url(name)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    with psycopg.connect(url, row_factory=dict_row, autocommit=True) as database:
        database.execute("vacuum analyze")
        yield database


def change(database: Database, server: Postgres, rows: int) -> None:
    """Changes at least this number of rows of pg_constraint."""
    admin = make_conninfo(server.admin_url(), dbname=database.info.dbname)
    with psycopg.connect(admin, autocommit=True) as superuser:
        count = superuser.execute("select count(*) from pg_constraint").fetchone()
        assert count is not None
        for _ in range(math.ceil(rows / count[0])):
            superuser.execute(CHANGES.encode())


def collected(database: Database) -> int:
    """How often a session, and not autovacuum, collected the statistics of pg_constraint."""
    row = database.execute(
        "select pg_stat_get_analyze_count('pg_constraint'::regclass) as count"
    ).fetchone()
    assert row is not None
    return int(row["count"])


def warned(database: Database) -> list[tuple[str, str]]:
    rows = database.execute("select kind, object from tenancy.check_catalog_statistics()")
    return [(row["kind"], row["object"]) for row in rows]


def test_creation_refreshes_stale_statistics_once(server: Postgres, database: Database) -> None:
    before = collected(database)
    database.execute("select public.create_tenant_schema('amber')")
    assert collected(database) == before
    change(database, server, 2000)

    for name in ("brick", "coral"):
        database.execute("select public.create_tenant_schema(%s)", (name,))

    assert collected(database) == before + 1


def test_migration_refreshes_stale_statistics(server: Postgres, database: Database) -> None:
    database.execute("select public.create_tenant_schema('birch')")
    database.execute(
        "select tenancy.register_tenant_migration('20260101000000', 'a', 'select 1')"
    )
    before = collected(database)
    change(database, server, 2000)

    database.execute("select public.migrate_tenant('birch')")

    assert collected(database) == before + 1


def test_catalog_that_another_session_locks_is_skipped(
    server: Postgres, database: Database
) -> None:
    change(database, server, 2000)
    before = collected(database)
    with psycopg.connect(database.info.dsn, password="postgres") as other:
        other.execute("analyze pg_catalog.pg_constraint")
        change(database, server, 2000)
        database.execute("set statement_timeout = '10s'")

        database.execute("select public.create_tenant_schema('cedar')")

        assert collected(database) == before + 1
        other.rollback()


def test_doctor_warns_of_stale_and_bloated_catalogs(
    server: Postgres, database: Database
) -> None:
    change(database, server, 2000)
    assert warned(database) == []
    admin = make_conninfo(server.admin_url(), dbname=database.info.dbname)
    stale = ("warning: stale catalog statistics", "pg_constraint")
    bloated = ("warning: bloated catalog", "pg_constraint")
    # Its snapshot keeps PostgreSQL from removing what is replaced.
    with psycopg.connect(admin) as reader:
        reader.execute("set transaction isolation level repeatable read")
        reader.execute("select 1")
        change(database, server, 40000)

        assert warned(database) == [stale, bloated]

        database.execute("select tenancy.refresh_catalog_statistics()")
        assert warned(database) == [bloated]
    database.execute("vacuum analyze")
    assert warned(database) == []


def test_who_does_not_own_the_database_creates_without_warnings(
    server: Postgres, database: Database
) -> None:
    admin = make_conninfo(server.admin_url(), dbname=database.info.dbname)
    name = database.info.dbname
    notices: list[str | None] = []
    database.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    change(database, server, 2000)
    before = collected(database)
    with psycopg.connect(admin, autocommit=True) as superuser:
        superuser.execute(f"alter database {name} owner to supabase_admin".encode())
        superuser.execute(f"grant create on database {name} to postgres".encode())
        try:
            database.execute("select public.create_tenant_schema('ember')")
        finally:
            superuser.execute(f"alter database {name} owner to postgres".encode())

    assert (collected(database), notices) == (before, [])
