"""The state of the platform: counts, versions, stuck and largest tenants, growth."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import scalar_row
from psycopg.sql import SQL, Identifier

from support.fleet import Fleet

DAYS = 90


def health(fleet: Fleet) -> dict[str, Any]:
    [found] = fleet.query("get_platform_health")
    return found


def backdate(fleet: Fleet, tenant: str, days: int) -> None:
    fleet.sql.execute(
        "update public.tenants set created_at = created_at - make_interval(days => %s)"
        " where schema_name = %s",
        (days, tenant),
    )


def test_project_without_tenants_has_zeros_and_no_gaps(fleet: Fleet) -> None:
    found = health(fleet)

    growth, locks = found.pop("growth"), found.pop("dump_locks")
    assert found == {
        "tenant_count": 0,
        "active": 0,
        "suspended": 0,
        "latest_version": fleet.latest(),
        "up_to_date": 0,
        "behind": 0,
        "stuck": 0,
        "versions": [],
        "stuck_tenants": [],
        "total_bytes": 0,
        "largest_tenants": [],
        "cache_load": None,
        "cache_load_forecast": [],
    }
    assert locks["most_tenants"] is None
    assert 0 < locks["needed"] < locks["available"]
    assert {day["tenants"] for day in growth} == {0}
    days = [date.fromisoformat(day["day"]) for day in growth]
    assert days == [days[-1] - timedelta(days=ago) for ago in reversed(range(DAYS))]
    assert days[-1] in {datetime.now(UTC).date(), datetime.now(UTC).date() - timedelta(days=1)}


def test_states_and_versions_are_counted(fleet: Fleet) -> None:
    tenants, first, table = fleet.tenants(5), fleet.latest(), fleet.table()
    fleet.sql.execute(
        SQL("create table {}.{} ()").format(Identifier(tenants[3]), Identifier(table))
    )
    version = fleet.register(f"create table {table} (id bigint primary key)")
    fleet.migrate(tenants[0])
    fleet.migrate(tenants[3])
    fleet.suspend(tenants[1])
    fleet.put_into_pool(tenants[4])

    found = health(fleet)

    fleet.take_from_pool(tenants[4])
    counts = ("tenant_count", "active", "suspended", "up_to_date", "behind", "stuck")
    assert [found[each] for each in counts] == [4, 3, 1, 1, 3, 1]
    assert found["latest_version"] == version
    assert [
        (each["version"], each["tenants"], each["pending"]) for each in found["versions"]
    ] == [
        (version, 1, 0),
        (first, 3, 1),
    ]
    [stuck] = found["stuck_tenants"]
    assert (stuck["schema_name"], stuck["version"], stuck["sqlstate"]) == (
        tenants[3],
        version,
        "42P07",
    )


def test_largest_tenants_come_first_and_at_most_ten(fleet: Fleet) -> None:
    tenants = fleet.tenants(12)
    # The last one in the order of the names has the most pages.
    for name, rows in ((tenants[11], 400), (tenants[5], 200)):
        fleet.sql.execute(
            SQL(
                "insert into {}.settings (key, value)"
                " select i::text, to_jsonb(repeat('x', 500)) from generate_series(1, %s) i"
            ).format(Identifier(name)),
            (rows,),
        )
        fleet.sql.execute(SQL("analyze {}.settings").format(Identifier(name)))

    found = health(fleet)

    listed = fleet.query("list_tenants", sort="bytes.desc")
    names = [each["schema_name"] for each in found["largest_tenants"]]
    assert names[:2] == [tenants[11], tenants[5]]
    assert len(names) == 10
    assert {
        each["schema_name"]: each["bytes"] for each in listed if each["schema_name"] in names
    } == {each["schema_name"]: each["bytes"] for each in found["largest_tenants"]}
    assert found["total_bytes"] == sum(each["bytes"] for each in listed)


def test_growth_counts_the_deleted_tenants_while_they_lived(fleet: Fleet) -> None:
    before = {day["day"]: day for day in health(fleet)["growth"]}
    old, young, gone, ancient = fleet.tenants(4)
    backdate(fleet, old, 30)
    backdate(fleet, gone, 20)
    backdate(fleet, ancient, 400)
    fleet.suspend(gone)
    fleet.sql.execute("select public.delete_tenant_schema(%s)", (gone,))
    pooled = fleet.tenants(1)[0]
    fleet.put_into_pool(pooled)

    growth = health(fleet)["growth"]
    fleet.take_from_pool(pooled)

    def change(ago: int) -> tuple[int, int, int]:
        day = growth[-1 - ago]
        earlier = before[day["day"]]
        return tuple(day[each] - earlier[each] for each in ("tenants", "created", "deleted"))

    assert change(DAYS - 1) == change(31) == (1, 0, 0)
    assert change(30) == (2, 1, 0)
    assert change(21) == (2, 0, 0)
    assert change(20) == (3, 1, 0)
    assert change(1) == (3, 0, 0)
    # The deleted one, and the young one.
    assert change(0) == (3, 1, 1)
    assert young in fleet.versions()


def test_last_load_of_the_schema_cache_comes_with_its_forecast(fleet: Fleet) -> None:
    fleet.tenants(1)
    with fleet.sql.transaction(force_rollback=True):
        fleet.sql.execute(
            "insert into tenancy.cache_load_measurements values"
            " ('2026-11-23 14:30+00', 1000, 3000, 800), ('2026-11-22 14:30+00', 900, 2700, 700)"
        )
        fleet.sql.execute(
            SQL("alter role authenticator in database {} set statement_timeout = '45s'").format(
                Identifier(fleet.sql.info.dbname)
            )
        )
        found = health(fleet)
        forecast = fleet.sql.execute("select * from tenancy.cache_load_forecast()").fetchall()
        locks = fleet.sql.execute("select * from tenancy.dump_locks()").fetchone()

    assert found["cache_load"] == {
        "measured_at": "2026-11-23T14:30:00+00:00",
        "tenants": 1000,
        "milliseconds": 800,
        "limit_milliseconds": 45000,
    }
    assert found["cache_load_forecast"] == [
        {"seconds": row["limit_seconds"], "tenants": row["tenants"]} for row in forecast
    ]
    assert [row["seconds"] for row in found["cache_load_forecast"]] == [8, 30, 60]
    assert found["dump_locks"] == locks
    assert found["dump_locks"]["most_tenants"] > 1


def test_viewer_may_ask_and_a_stranger_may_not(fleet: Fleet) -> None:
    [found] = fleet.query_as(fleet.staff("viewer"), "get_platform_health")
    assert found["tenant_count"] == 0
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        fleet.query_as(fleet.person(), "get_platform_health")


def test_catalog_is_read_once(fleet: Fleet) -> None:
    fleet.tenants(10)
    count = "select count(*) from pg_catalog.pg_class"
    read = (
        "select sum(pg_stat_get_xact_tuples_returned(o))::bigint from (select"
        " 'pg_catalog.pg_class'::regclass::oid union all select indexrelid from pg_index"
        " where indrelid = 'pg_catalog.pg_class'::regclass) r (o)"
    )
    with psycopg.connect(fleet.address.db_url, row_factory=scalar_row) as session:

        def number(query: str) -> int:
            return int(session.execute(query.encode()).fetchone() or 0)

        session.execute("select public.get_platform_health()")
        session.rollback()
        relations, before = number(count), number(read)
        session.execute("select public.get_platform_health()")
        after = number(read)
        session.rollback()
    # The sizes read tables, their indexes and their out-of-line tables. The locks of a dump are
    # counted in one pass more.
    assert after - before <= 4 * relations + 100
