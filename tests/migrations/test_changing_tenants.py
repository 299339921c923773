"""Comparing tenants while others delete them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import psycopg
import pytest

from support.entry_points import waiter
from support.environment import Environment
from support.fleet import Fleet
from tenantry_cli.doctor.catalog import connect, examine_catalog

T = TypeVar("T")


def meanwhile(fleet: Fleet, statement: str, name: str, call: Callable[[], T]) -> T:
    """What the call returns, if the statement is committed while the call reads the tenant."""
    with (
        Environment(fleet.address) as watcher,
        psycopg.connect(fleet.address.db_url) as other,
        ThreadPoolExecutor(1) as threads,
    ):
        other.execute(statement.encode(), (name,))
        called = threads.submit(call)
        # PostgreSQL locks a table before it prints the default of a column.
        waiter(watcher, other.info.backend_pid, called)
        other.commit()
        return called.result()


DELETE = "select public.delete_tenant_schema(%s)"


@pytest.mark.parametrize("place", ["first", "last"])
def test_deleted_tenant_is_left_out_of_the_list_of_drift(fleet: Fleet, place: str) -> None:
    names = fleet.tenants(3)
    gone = names[0 if place == "first" else -1]
    fleet.suspend(gone)

    rows = meanwhile(fleet, DELETE, gone, lambda: fleet.query("list_tenant_drift"))

    left = [name for name in names if name != gone]
    assert rows == [
        {"schema_name": name, "has_drift": False, "has_more": name != left[-1]} for name in left
    ]


def test_page_of_drift_goes_on_behind_tenants_that_are_deleted(fleet: Fleet) -> None:
    first, second, _ = fleet.tenants(3)
    fleet.suspend(first)

    rows = meanwhile(
        fleet, DELETE, first, lambda: fleet.query("list_tenant_drift", page_size=1)
    )

    assert rows == [{"schema_name": second, "has_drift": False, "has_more": True}]


def test_drift_of_a_tenant_that_is_deleted_meanwhile_is_refused(fleet: Fleet) -> None:
    gone = fleet.tenant()
    fleet.suspend(gone)
    assert fleet.drift(gone) == []

    with pytest.raises(psycopg.Error) as refused:
        meanwhile(fleet, DELETE, gone, lambda: fleet.drift(gone))

    assert (refused.value.sqlstate, refused.value.diag.message_detail) == (
        "PT404",
        "tenant_not_found",
    )


def test_doctor_reports_nothing_of_a_tenant_that_is_deleted_meanwhile(fleet: Fleet) -> None:
    gone = fleet.tenants(2)[0]
    fleet.suspend(gone)

    with connect(fleet.address.db_url) as connection:
        problems = meanwhile(fleet, DELETE, gone, lambda: examine_catalog(connection))

    assert [problem for problem in problems if problem.tenant is not None] == []
