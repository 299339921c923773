"""The server is killed under load: the audit log has the committed changes and no other."""

from __future__ import annotations

import os
import random
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from support.entry_points import is_answering
from support.environment import Environment
from support.waiting import until

ROUNDS = 20 if os.environ.get("TENANTRY_SOAK") == "1" else 3
WRITERS = 4


@pytest.mark.soak
def test_audit_log_has_exactly_the_committed_changes_after_a_crash(
    own_environment: Environment,
) -> None:
    address = own_environment.address
    tenant = own_environment.tenant()
    settings = SQL("{}.settings").format(Identifier(tenant))
    confirmed: set[str] = set()

    def write(worker: int, round_: int, enough: threading.Event) -> None:
        """Inserts until the server is killed, and remembers the confirmed keys."""
        chance = random.Random(worker * 1000 + round_)  # noqa: S311
        done = 0
        while not enough.is_set():
            done = insert(worker, round_, done, enough, chance)

    def insert(
        worker: int, round_: int, done: int, enough: threading.Event, chance: random.Random
    ) -> int:
        try:
            # A real project writes before it confirms; an ephemeral emulator does not.
            with psycopg.connect(
                address.db_url, options="-c synchronous_commit=on"
            ) as connection:
                while True:
                    keys = [
                        f"{round_}-{worker}-{done}-{n}" for n in range(chance.randint(1, 5))
                    ]
                    connection.execute(
                        SQL("insert into {} (key) select unnest(%s::text[])").format(settings),
                        (keys,),
                    )
                    if chance.random() < 0.2:
                        connection.rollback()
                    else:
                        connection.commit()
                        confirmed.update(keys)
                    done += 1
                    if done >= 20:
                        enough.set()
        except psycopg.OperationalError:
            # The server may still recover from the last round. The caller tries again.
            return done + 1

    def all_set(events: list[threading.Event]) -> bool:
        return all(event.is_set() for event in events)

    for round_ in range(ROUNDS):
        enough = [threading.Event() for _ in range(WRITERS)]
        with ThreadPoolExecutor() as pool:
            writers = [pool.submit(write, n, round_, enough[n]) for n in range(WRITERS)]
            until(partial(all_set, enough), 60)
            with psycopg.connect(address.db_url) as connection:
                # A killed session makes the whole server restart and recover by itself.
                os.kill(connection.info.backend_pid, signal.SIGKILL)
            for writer in writers:
                writer.result()
        until(partial(is_answering, own_environment))
    # The removal of the tenant needs a session, and the old one ended with the server.
    own_environment.reconnect()

    with psycopg.connect(address.db_url) as connection:
        present = {
            key for (key,) in connection.execute(SQL("select key from {}").format(settings))
        }
        logged = [
            key
            for (key,) in connection.execute(
                SQL("select record_id ->> 'key' from {}.audit_log").format(Identifier(tenant))
            )
        ]
    assert len(confirmed) > ROUNDS * WRITERS * 20
    assert confirmed <= present
    assert sorted(logged) == sorted(present)
