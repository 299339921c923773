"""Readers are served while tenants are created, migrated and deleted, however many there are.

Autovacuum is off, as if it were busy elsewhere: the load of the schema cache must not need it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

from support.environment import Address
from support.fleet import ServedFleet
from support.readers import Answer, reading

_CREATORS = 2
_READERS = 3


@pytest.fixture
def fleet(own_address: Address) -> Iterator[ServedFleet]:
    with psycopg.connect(own_address.admin_db_url, autocommit=True) as superuser:
        superuser.execute("alter system set autovacuum = off")
        superuser.execute("select pg_reload_conf()")
        try:
            with ServedFleet(own_address) as fleet:
                yield fleet
        finally:
            superuser.execute("alter system reset autovacuum")
            superuser.execute("select pg_reload_conf()")


def grow(fleet: ServedFleet, count: int) -> list[str]:
    """Creates tenants in two sessions as fast as they can."""
    names = [fleet.name() for _ in range(count)]

    def create(some: list[str]) -> None:
        with psycopg.connect(fleet.address.db_url, autocommit=True) as session:
            for name in some:
                session.execute("select public.create_tenant_schema(%s)", (name,))

    with ThreadPoolExecutor(_CREATORS) as creators:
        parts = [names[number::_CREATORS] for number in range(_CREATORS)]
        for done in [creators.submit(create, part) for part in parts]:
            done.result()
    return names


@contextmanager
def readers(fleet: ServedFleet) -> Iterator[list[Answer]]:
    tenant = fleet.tenant()
    member = fleet.member(tenant, "read")
    with reading(fleet, [(member, tenant, "settings")] * _READERS) as answers:
        yield answers


def assert_all_were_served(answers: list[Answer]) -> None:
    assert Counter(answer.status for answer in answers) == {200: len(answers)}
    seconds = sorted(answer.seconds for answer in answers)
    middle, late = seconds[len(seconds) // 2], seconds[len(seconds) * 99 // 100]
    print(
        f"{len(seconds)} reads: median {middle * 1000:.0f} ms, p99 {late * 1000:.0f} ms, "
        f"longest {seconds[-1] * 1000:.0f} ms"
    )


@pytest.mark.soak
def test_first_day_stops_no_reader(fleet: ServedFleet, soak: bool) -> None:
    with readers(fleet) as answers:
        names = grow(fleet, 1500 if soak else 30)
        # This load comes after the last creation.
        fleet.wait_until_served(names[-1], "settings", "key")

    assert_all_were_served(answers)


@pytest.mark.soak
def test_changes_beside_many_tenants_stop_no_reader(fleet: ServedFleet, soak: bool) -> None:
    tenants = grow(fleet, 3000 if soak else 10)
    fleet.wait_until_served(tenants[-1], "settings", "key")
    created, migrated, deleted = (200, 20, 10) if soak else (4, 2, 1)
    table = fleet.table()

    with readers(fleet) as answers:
        for _ in range(created):
            fleet.query("create_tenant_schema", schema_name=fleet.name())
        fleet.register(f"create table {table} (id bigint primary key);")
        for name in tenants[:migrated]:
            assert fleet.migrate(name)["outcome"] == "migrated"
        for name in tenants[-deleted:]:
            fleet.query("suspend_tenant", schema_name=name)
            fleet.query("delete_tenant_schema", schema_name=name)
        fleet.wait_until_served(tenants[0], table, "id")

    assert_all_were_served(answers)
