"""The two entry points to every operation: our HTTPS functions, and the RPCs of the Data API.

Also for tests of concurrent calls: calls that start at the same moment, a transaction that
holds a lock that they need, and the backend that waits for the lock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any

import httpx
import psycopg

from support.environment import Address, Environment

EntryPoint = Callable[..., httpx.Response]

ENTRY_POINTS: dict[str, EntryPoint] = {
    "function": Environment.function,
    "rpc": Environment.rpc,
}

# Every operation on a tenant locks this row first.
HOLD_TENANT = "select from public.tenants where schema_name = %s for update"


def is_answering(environment: Environment) -> bool:
    """Whether both entry points and Auth answer."""
    try:
        psycopg.connect(environment.address.db_url, connect_timeout=5).close()
        replies = [
            *(
                entry_point(environment, environment.service, "list_my_tenants")
                for entry_point in ENTRY_POINTS.values()
            ),
            environment.http.get(
                "/auth/v1/health", headers={"apikey": environment.address.anon_key}
            ),
        ]
    except (psycopg.OperationalError, httpx.TransportError):
        return False
    return all(reply.is_success for reply in replies)


def at_once(*calls: Callable[[], httpx.Response]) -> list[httpx.Response]:
    """The replies to calls that start at the same moment."""
    start = Barrier(len(calls))

    def run(call: Callable[[], httpx.Response]) -> httpx.Response:
        start.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


@contextmanager
def holding(address: Address, statement: str, *values: Any) -> Iterator[psycopg.Connection]:
    """A transaction that holds the locks of a statement until the block ends."""
    with psycopg.connect(address.admin_db_url) as connection:
        connection.execute(statement.encode(), values)
        yield connection
        connection.rollback()


def waiter(environment: Environment, holder: int, call: Future[Any]) -> int:
    """The backend that waits for the holder, as soon as there is one."""
    deadline = time.monotonic() + 10
    while True:
        found = environment.sql.execute(
            "select pid from pg_stat_activity where %s = any (pg_blocking_pids(pid))",
            (holder,),
        ).fetchone()
        if found is not None:
            return int(found["pid"])
        assert not call.done(), call.result()
        assert time.monotonic() < deadline, "Nobody waits."
