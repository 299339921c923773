"""What the tests of one process share: sessions, and the removal of people and tenants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from support import sessions
from support.environment import Address, Environment


def backend(session: sessions.Session) -> int:
    return session.info.backend_pid


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ("set role anon", "select where current_user <> 'postgres'"),
        ("set work_mem = '1MB'", "select where current_setting('work_mem') = '1MB'"),
        (
            "select set_config('request.jwt.claims', '{}', false)",
            "select where current_setting('request.jwt.claims', true) <> ''",
        ),
        ("listen pgrst", "select from pg_listening_channels()"),
        (
            "declare held cursor with hold for select 1",
            "select from pg_cursors where name = 'held'",
        ),
        ("create temp table found ()", "select where to_regclass('found') is not null"),
        (
            "select pg_advisory_lock(1)",
            "select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()",
        ),
    ],
)
def test_session_forgets_its_last_test(address: Address, change: str, left: str) -> None:
    # A session that has served many tests is replaced.
    sessions.close_all()
    session = sessions.borrow(address.db_url)
    session.execute(change.encode())
    assert session.execute(left.encode()).rowcount == 1
    sessions.give_back(address.db_url, session)

    again = sessions.borrow(address.db_url)

    assert again is session
    assert again.execute(left.encode()).rowcount == 0
    sessions.give_back(address.db_url, again)


def end(session: sessions.Session) -> None:
    with psycopg.connect(session.info.dsn, password="postgres") as other:
        other.execute("select pg_terminate_backend(%s, 5000)", (backend(session),))


@pytest.mark.parametrize(
    "breaks",
    [end, lambda session: session.close(), lambda session: session.set_autocommit(False)],
    ids=["ended", "closed", "in a transaction"],
)
def test_broken_session_is_replaced(
    address: Address, breaks: Callable[[sessions.Session], None]
) -> None:
    session = sessions.borrow(address.db_url)
    breaks(session)
    if not session.closed and not session.autocommit:
        session.execute("create table public.left ()")
    sessions.give_back(address.db_url, session)

    other = sessions.borrow(address.db_url)

    assert other is not session
    assert other.autocommit
    assert other.execute("select to_regclass('public.left') as found").fetchone() == {
        "found": None
    }
    sessions.give_back(address.db_url, other)


def exist(database: psycopg.Connection[dict[str, Any]], tenant: str) -> bool:
    found = database.execute("select from public.tenants where schema_name = %s", (tenant,))
    database.rollback()
    return found.rowcount == 1


def test_tenants_are_removed_at_once_or_with_later_ones(
    address: Address, database: psycopg.Connection[dict[str, Any]]
) -> None:
    with Environment(address) as now:
        removed = now.tenant()
        assert exist(database, removed)
    assert not exist(database, removed)

    # Other tests leave nothing under this URL.
    apart = replace(address, db_url=f"{address.db_url}?application_name=apart")
    with Environment(apart, removes="later") as later:
        left = later.tenant()
        adopted = f"{left}_own"
        later.adopt_tenant(adopted)
        later.sql.execute("select public.create_tenant_schema(%s)", (adopted,))
    assert not exist(database, adopted)
    for _ in range(8):
        with Environment(apart, removes="later") as later:
            later.name()
    assert exist(database, left)
    with Environment(apart, removes="later") as later:
        later.name()
    assert not exist(database, left)


def test_failed_removal_names_the_test(
    address: Address, database: psycopg.Connection[dict[str, Any]]
) -> None:
    environment = Environment(address)
    tenant = environment.tenant()
    obstacle = "create view public.{} as select * from {}.settings"
    environment.sql.execute(obstacle.replace("{}", tenant).encode())

    with pytest.raises(psycopg.Error) as failed:
        environment.close()

    (note,) = failed.value.__notes__
    assert tenant in note
    assert "test_failed_removal_names_the_test" in note
    environment.sql.execute(f"drop view public.{tenant}".encode())
    environment.adopt_tenant(tenant)
    environment.close()
    assert not exist(database, tenant)
