"""A mixed load, with and without killed database sessions. Afterwards all state agrees."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import httpx
import psycopg
import pytest

from support.entry_points import ENTRY_POINTS, is_answering
from support.environment import Address, Environment, Person
from support.load import (
    OPERATIONS,
    STRAY_ACCESS,
    Load,
    assert_audit_log_leads_to_the_present_state,
)
from support.waiting import is_known, until
from tenantry_cli.doctor.answers import examine_answers
from tenantry_cli.doctor.catalog import connect, examine_catalog
from tenantry_cli.emulator.stack import Stack
from tenantry_cli.target import Target

SOAK = os.environ.get("TENANTRY_SOAK") == "1"
CRASHES = 10 if SOAK else 1
KILLS = 500 if SOAK else 20
SECONDS = 60 if SOAK else 3
SUSPENSIONS = 200 if SOAK else 4

KILL = """
    select count(*) filter (where pg_terminate_backend(pid)) as killed
    from (
        select pid from pg_stat_activity
        where usename = 'authenticator' and (state <> 'idle' or random() < 0.2)
        order by random() limit 1
    ) chosen
"""


@pytest.fixture
def fresh_environment(fresh_emulator: Environment) -> Environment:
    # A test that crashes the server ends this session, too.
    fresh_emulator.reconnect()
    return fresh_emulator


@pytest.fixture(scope="module")
def fresh_emulator() -> Iterator[Environment]:
    """An emulator with an audit log of these tests alone. It writes before it confirms."""
    with Stack.start(port=None, ephemeral=True) as stack:
        with psycopg.connect(stack.admin_db_url, autocommit=True) as admin:
            for role in ("authenticator", "supabase_auth_admin"):
                # A real project writes before it confirms; an ephemeral emulator does not.
                admin.execute(f"alter role {role} set synchronous_commit = on")
                admin.execute(
                    "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                    " where usename = %s",
                    (role,),
                )
        environment = Environment(Address.of(stack))
        until(partial(is_answering, environment))
        yield environment
        # Nothing has to be removed: the emulator stops here.
        environment.sql.close()
        environment.http.close()


def assert_all_state_agrees(load: Load) -> int:
    """Registry, schemas, grants, policies, exposure, replies and audit log, all unrepaired."""
    address = load.environment.address
    target = Target(address.api_url, address.anon_key, address.service_role_key)
    with connect(address.db_url) as connection:
        assert examine_catalog(connection) == []
        until(lambda: not list(examine_answers(connection, target)), 60)
    assert load.environment.sql.execute(STRAY_ACCESS).fetchall() == []
    return assert_audit_log_leads_to_the_present_state(load)


@pytest.mark.soak
def test_confirmed_changes_are_complete_after_kills_and_crashes(
    fresh_environment: Environment,
) -> None:
    environment = fresh_environment
    load = Load(environment, may_break=True)
    chance = random.Random()  # noqa: S311
    kills = 0

    def has_succeeded(since: int) -> bool:
        done = load.done
        return done.total() - done["sign up"] > since

    with load.running():
        for round_ in range(1, CRASHES + 1):
            with psycopg.connect(environment.address.admin_db_url, autocommit=True) as admin:
                while kills < KILLS * round_ / CRASHES:
                    # At a random moment of a request, also while nothing waits for a lock.
                    threading.Event().wait(chance.uniform(0, 0.08))
                    row = admin.execute(KILL).fetchone()
                    kills += row[0] if row else 0
                    # The next kill must hit a system that works.
                    done = load.done
                    until(partial(has_succeeded, done.total() - done["sign up"]), 60)
                # A killed session makes the whole server restart and recover by itself.
                os.kill(admin.info.backend_pid, signal.SIGKILL)
            until(partial(is_answering, environment), 90)
        before = load.done
        until(lambda: (load.done - before).keys() >= OPERATIONS, 60)

    environment.reconnect()
    assert not load.faults, "\n".join(load.faults[:20])
    entries = assert_all_state_agrees(load)
    print(f"{kills} kills, {CRASHES} crashes, {load.lost} replies lost, {entries} entries")
    print(load.done)


@pytest.mark.soak
def test_no_reply_reports_a_deadlock_and_nothing_is_orphaned(
    fresh_environment: Environment,
) -> None:
    load = Load(fresh_environment, may_break=False)

    with load.running(8):
        over = time.monotonic() + SECONDS
        until(lambda: time.monotonic() > over and load.done.keys() >= OPERATIONS, SECONDS + 60)

    assert not load.faults, "\n".join(load.faults[:20])
    entries = assert_all_state_agrees(load)
    print(f"{entries} entries", load.replies)


# Suspension -----------------------------------------------------------------------------

Call = Callable[[], httpx.Response]


@dataclass(frozen=True)
class Answer:
    began: float
    name: str
    status: int
    text: str


@contextmanager
def calling(calls: dict[str, Call]) -> Iterator[list[Answer]]:
    """Repeats each call without a pause. The list of answers grows until the block ends."""
    answers: list[Answer] = []
    over = threading.Event()

    def repeat(name: str, call: Call) -> None:
        while not over.is_set():
            began = time.monotonic()
            reply = call()
            answers.append(Answer(began, name, reply.status_code, reply.text))

    with ThreadPoolExecutor(len(calls)) as threads:
        callers = [threads.submit(repeat, *call) for call in calls.items()]
        try:
            yield answers
        finally:
            over.set()
            # Raises the error of a caller that ended early, also after a failure above.
            for caller in callers:
                caller.result()


def _calls(environment: Environment, tenant: str) -> dict[str, Call]:
    reader, admin = environment.member(tenant, "read"), environment.member(tenant, "admin")
    service = environment.service
    chance = random.Random()  # noqa: S311

    def write(who: Person) -> httpx.Response:
        return environment.rows(
            who, tenant, "settings", "POST", json={"key": str(chance.random())}
        )

    calls: dict[str, Call] = {
        "reader reads": partial(environment.rows, reader, tenant, "settings"),
        "service key reads": partial(environment.rows, service, tenant, "users"),
        "admin writes": partial(write, admin),
        "service key writes": partial(write, service),
    }
    operations: dict[str, tuple[Person, dict[str, str]]] = {
        "get_schema_tables": (reader, {}),
        "get_user_profile": (reader, {}),
        "ensure_user_profile": (reader, {}),
        "update_user_profile": (admin, {"display_name": "Ada"}),
        "grant_schema_access": (admin, {"user_id": str(reader.id)}),
    }
    for entry_point_name, entry_point in ENTRY_POINTS.items():
        for operation, (who, arguments) in operations.items():
            calls[f"{operation} by {entry_point_name}"] = partial(
                entry_point, environment, who, operation, schema_name=tenant, **arguments
            )
    for who in (reader, admin):
        environment.rpc(who, "ensure_user_profile", schema_name=tenant).raise_for_status()
    return calls


@pytest.mark.soak
def test_nothing_begun_after_the_reply_to_suspend_succeeds_by_any_entry_point(
    fresh_environment: Environment,
) -> None:
    environment = fresh_environment
    tenant, service = environment.tenant(), environment.service
    until(lambda: is_known(environment, tenant, "settings"))
    calls = _calls(environment, tenant)
    entry_points = list(ENTRY_POINTS.values())
    refused: Counter[str] = Counter()

    def have_all_answered(answers: list[Answer], since: float, *, success: bool) -> bool:
        answered = {
            each.name
            for each in answers
            if each.began > since and (each.status < 400) == success
        }
        return answered == calls.keys()

    with calling(calls) as answers:
        for round_ in range(SUSPENSIONS):
            entry_point = entry_points[round_ % len(entry_points)]
            answers.clear()
            until(partial(have_all_answered, answers, 0, success=True), 60)

            entry_point(
                environment, service, "suspend_tenant", schema_name=tenant
            ).raise_for_status()
            closed_at = time.monotonic()

            until(partial(have_all_answered, answers, closed_at, success=False), 60)
            late = [each for each in answers if each.began > closed_at]
            assert {each.status for each in late} == {403}, [
                each for each in late if each.status != 403
            ][:5]
            refused.update(each.name for each in late)
            entry_point(
                environment, service, "activate_tenant", schema_name=tenant
            ).raise_for_status()

    print(SUSPENSIONS, sum(refused.values()), refused)
    assert refused.keys() == calls.keys()
