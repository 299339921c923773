"""What one tenant's migration costs, counted: the same however many tenants there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from support.counting import calls, rows_read_by_each
from support.fleet import Fleet


def calls_for(fleet: Fleet, tenant: str) -> Counter[str]:
    """How often each function runs while the tenant is migrated; rolled back afterwards."""
    with tracked(fleet) as database:
        result = database.execute(
            "select outcome::text from public.migrate_tenant(%s)", (tenant,)
        ).fetchone()
        assert result == ("migrated",)
        return calls(database)


def replayed(fleet: Fleet) -> int:
    """How many tenant migrations a new tenant replays; it is rolled back afterwards."""
    with tracked(fleet) as database:
        database.execute("select public.create_tenant_schema()")
        return calls(database)["apply_tenant_migration"]


@contextmanager
def tracked(fleet: Fleet) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(fleet.address.admin_db_url) as database:
        database.execute("set track_functions = 'all'")
        database.execute("set role postgres")
        yield database
        database.rollback()


def test_cost_does_not_grow_with_the_fleet(fleet: Fleet) -> None:
    tenant, table = fleet.tenant(), fleet.table()
    fleet.register(
        f"create table {table} (id bigint primary key);"
        f" alter table users add column {table} text"
    )
    alone = calls_for(fleet, tenant)

    fleet.tenants(5)

    assert calls_for(fleet, tenant) == alone
    assert fleet.migrate(tenant)["outcome"] == "migrated"


def test_rows_read_do_not_grow_with_the_fleet(fleet: Fleet) -> None:
    """Each tenant's audit functions are namesakes of all others': nothing may look for a
    function by name, which reads all of that name."""
    crowd = 40
    tenants = [fleet.tenant() for _ in range(18)]
    fleet.register(f"create table {fleet.table()} (id bigint primary key)")
    before = reads(fleet, tenants[:6])

    fleet.tenants(crowd)

    # Others than before: what a rollback leaves behind is read like live rows. In two sessions,
    # since all tenants of one may meet what PostgreSQL has taken back.
    after = min(reads(fleet, tenants[6:12]), reads(fleet, tenants[12:]))
    assert after < before + crowd


def reads(fleet: Fleet, tenants: list[str]) -> int:
    """Rows read for the tenant that took fewest, in a session that has migrated another.

    The fewest, because PostgreSQL may take back at any time what the session knows of the
    catalog, and it reads that again.
    """
    with psycopg.connect(fleet.address.db_url) as database:
        rows = rows_read_by_each(
            database,
            tenants,
            lambda tenant: database.execute("select public.migrate_tenant(%s)", (tenant,)),
        )
        database.rollback()
    return min(rows)


def test_tenant_without_anything_of_its_own_is_described_once(fleet: Fleet) -> None:
    plain, owner, extended = (fleet.tenant() for _ in range(3))
    fleet.sql.execute(sql.SQL("create table {}.notes ()").format(sql.Identifier(owner)))
    fleet.rpc(
        fleet.service, "add_column", schema_name=extended, table_name="users",
        column_name="x_phone", column_type="text",
    ).raise_for_status()  # fmt: skip
    fleet.register(f"create table {fleet.table()} (id bigint primary key)")

    assert calls_for(fleet, plain)["schema_objects"] == 1
    # Before and after, to see that what is theirs is what it was.
    assert calls_for(fleet, owner)["schema_objects"] == 2
    assert calls_for(fleet, extended)["schema_objects"] == 2


def test_new_tenant_replays_what_does_something_there(fleet: Fleet) -> None:
    before = replayed(fleet)

    fleet.register("-- Nothing of its own.\n\n    -- Only the trail.")
    assert replayed(fleet) == before

    fleet.register(f"-- Something.\ncreate table {fleet.table()} (id bigint primary key)")
    assert replayed(fleet) == before + 1


def test_migration_asks_for_the_schema_cache_once(fleet: Fleet) -> None:
    tenant, table = fleet.tenant(), fleet.table()
    fleet.register(
        f"create table {table} (id bigint primary key);"
        f" alter table users add column {table} text"
    )
    with psycopg.connect(fleet.address.db_url, autocommit=True) as listener:
        listener.execute("listen pgrst")

        assert fleet.migrate(tenant)["outcome"] == "migrated"

        asked = [notice.payload for notice in listener.notifies(timeout=1)]
    assert asked == ["reload schema"]
