"""What an operation reads and locks does not follow the number of tenants.

Counted, not timed: the rows that the catalog and the registry returned, before and after a
crowd of tenants has come. Whoever looks through a whole table sees the crowd.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from support.counting import calls, rows_read_by_each
from support.environment import Environment

# Few enough to be made in moments. Each brings at least one row to every table counted, so
# that reading a table whole shows as at least so many rows more; and more of them than the 40
# rows or so by which counts differ anyway, since what other sessions change is read anew.
CROWD = 100

Database = psycopg.Connection[dict[str, Any]]
Operation = Callable[[Database, str], None]


@pytest.fixture
def tenants(environment: Environment) -> list[str]:
    """A few tenants with a table of their own that points at the template's."""
    names = [environment.tenant() for _ in range(8)]
    for name in names:
        environment.sql.execute(
            "select public.create_table(%s, 'notes', %s)",
            (name, '[{"name": "id", "type": "uuid", "primary_key": true}]'),
        )
        environment.sql.execute(
            "select public.add_foreign_key(%s, 'notes', 'id', 'users')", (name,)
        )
    return names


def _create(database: Database, tenant: str) -> None:
    database.execute("select public.create_tenant_schema(%s)", (f"{tenant}_2",))


def _suspend_and_activate(database: Database, tenant: str) -> None:
    database.execute("select public.suspend_tenant(%s)", (tenant,))
    database.execute("select public.activate_tenant(%s)", (tenant,))


def _inspect(database: Database, tenant: str) -> None:
    for call in (
        "get_schema_tables(%s)",
        "get_table_columns(%s, 'users')",
        "get_table_foreign_keys(%s, 'notes')",
        "get_schema_summary(%s)",
    ):
        assert database.execute(f"select public.{call}".encode(), (tenant,)).fetchall()


def _delete_user(database: Database, tenant: str) -> None:
    user = database.execute(
        "insert into auth.users (id, email) values (gen_random_uuid(), gen_random_uuid())"
        " returning id"
    ).fetchone()
    assert user is not None
    database.execute("select public.grant_schema_access(%s, %s)", (tenant, user["id"]))
    database.execute("delete from auth.users where id = %s", (user["id"],))


def _look_through_the_catalog(database: Database, tenant: str) -> None:
    database.execute(
        "select from pg_catalog.pg_class c where c.oid::regclass::text = %s", [tenant]
    )


OPERATIONS = (_create, _suspend_and_activate, _inspect, _delete_user)


def test_no_operation_reads_more_rows_with_more_tenants(
    environment: Environment, tenants: list[str]
) -> None:
    # Others than before: what a rollback leaves behind is read like live rows.
    first, others = tenants[:4], tenants[4:]
    before = _reads(environment, first)
    for _ in range(CROWD):
        environment.tenant()
    more = {
        operation: rows - before[operation]
        for operation, rows in _reads(environment, others).items()
    }

    # Another test's tenants come and go meanwhile, which reading all would see, too.
    assert more.pop(_look_through_the_catalog) >= CROWD
    assert {operation.__name__: rows for operation, rows in more.items() if rows >= CROWD} == {}


def _reads(environment: Environment, tenants: list[str]) -> dict[Operation, int]:
    """What each operation read, in a session that has done it before with another tenant."""
    return {
        operation: min(_read(environment, tenants, operation))
        for operation in (*OPERATIONS, _look_through_the_catalog)
    }


def _read(environment: Environment, tenants: list[str], operation: Operation) -> list[int]:
    with psycopg.connect(environment.address.db_url, row_factory=dict_row) as database:
        rows = rows_read_by_each(database, tenants, lambda tenant: operation(database, tenant))
        database.rollback()
    return rows


def test_each_creation_takes_the_same_locks(
    environment: Environment, tenants: list[str]
) -> None:
    with psycopg.connect(environment.address.db_url, row_factory=dict_row) as database:
        held = []
        for tenant in tenants:
            _create(database, tenant)
            held.append(_locks(database))
        database.rollback()
    taken = [later - earlier for earlier, later in itertools.pairwise(held)]

    assert taken[0] == taken[1] < 40
    # The first also takes those on the catalog and the registry.
    assert held[0] < 100


def _locks(database: Database) -> int:
    row = database.execute(
        "select count(*) as locks from pg_locks where pid = pg_backend_pid()"
    ).fetchone()
    assert row is not None
    return int(row["locks"])


def test_auditing_costs_a_statement_not_its_rows(environment: Environment) -> None:
    tenant = environment.tenant()
    with psycopg.connect(environment.address.admin_db_url, row_factory=dict_row) as database:
        database.execute("set track_functions = 'all'")
        settings = sql.Identifier(tenant, "settings")
        database.execute(
            sql.SQL(
                "insert into {} (key) select i::text from generate_series(1, 500) i"
            ).format(settings)
        )
        counts = [calls(database)]
        for keys in (["1"], [str(key) for key in range(1, 501)]):
            database.execute(
                sql.SQL("update {} set value = '1' where key = any(%s)").format(settings),
                (keys,),
            )
            counts.append(calls(database))
        database.rollback()

    of_one, of_all = (later - earlier for earlier, later in itertools.pairwise(counts))
    assert 0 < of_one["tg_settings__audit"] == of_all["tg_settings__audit"]
    # Who it was is found once, too. The stamp is each row's own.
    assert of_one - Counter(tg_settings__stamp=1) == of_all - Counter(tg_settings__stamp=500)
