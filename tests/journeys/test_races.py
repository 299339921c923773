"""Two calls at once: which one wins, which one waits, and the reply to the one that waited."""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

import httpx
import psycopg
import pytest

from support.entry_points import (
    ENTRY_POINTS,
    HOLD_TENANT,
    EntryPoint,
    at_once,
    holding,
    waiter,
)
from support.environment import Environment, Person
from support.refusals import code
from support.unguarded import unguarded_data_api

HOUR = timedelta(hours=1)


# Two calls for the same name ------------------------------------------------------------


def test_two_creations_of_one_name_create_one_tenant(environment: Environment) -> None:
    pairs = itertools.cycle(itertools.product(ENTRY_POINTS.values(), repeat=2))
    admin = environment.staff("admin")

    for entry_points in itertools.islice(pairs, 20):
        name = environment.name()
        create = {"schema_name": name}
        replies = at_once(
            *(
                partial(entry_point, environment, admin, "create_tenant_schema", **create)
                for entry_point in entry_points
            )
        )

        assert sorted(reply.status_code for reply in replies) == [200, 409]
        (refused,) = [reply for reply in replies if reply.is_error]
        assert code(refused) == "tenant_exists"


def test_two_tenants_created_at_once_are_both_exposed(
    environment: Environment, entry_point: EntryPoint, caller: ThreadPoolExecutor
) -> None:
    one, other = environment.name(), environment.name()

    with psycopg.connect(environment.address.db_url) as connection:
        connection.execute("select public.create_tenant_schema(%s)", (one,))
        call = caller.submit(
            entry_point,
            environment,
            environment.service,
            "create_tenant_schema",
            schema_name=other,
        )
        waiter(environment, connection.info.backend_pid, call)

    assert call.result().status_code == 200, call.result().text
    (exposed,) = environment.sql.execute("select tenancy.exposed_schemas() as names").fetchall()
    assert {one, other} <= set(exposed["names"])


# A grant that expires -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "expiry", "status"),
    [
        ("read", timedelta(minutes=30), 200),
        ("write", HOUR, 200),
        ("write", HOUR + timedelta(seconds=1), 403),
        ("read", None, 403),
        ("admin", timedelta(minutes=30), 403),
    ],
)
def test_admin_whose_grant_expires_grants_nothing_past_it(
    environment: Environment,
    entry_point: EntryPoint,
    level: str,
    expiry: timedelta | None,
    status: int,
) -> None:
    tenant = environment.tenant()
    now = datetime.now(UTC)
    admin = environment.member(tenant, "admin", expires_at=now + HOUR)

    reply = entry_point(
        environment,
        admin,
        "grant_schema_access",
        schema_name=tenant,
        user_id=environment.person().id,
        access_level=level,
        expires_at=expiry and (now + expiry).isoformat(),
    )

    assert reply.status_code == status, reply.text
    assert status == 200 or code(reply) == "forbidden"


def test_admin_whose_grant_expires_cannot_extend_it(
    environment: Environment, entry_point: EntryPoint
) -> None:
    tenant = environment.tenant()
    admin = environment.member(tenant, "admin", expires_at=datetime.now(UTC) + HOUR)
    friend = environment.member(tenant, "admin")

    def extend(by: Person) -> httpx.Response:
        return entry_point(
            environment,
            by,
            "grant_schema_access",
            schema_name=tenant,
            user_id=admin.id,
            access_level="admin",
        )

    own = extend(admin)
    assert (own.status_code, code(own)) == (409, "own_grant")
    assert extend(friend).status_code == 200


def test_admin_whose_grant_expires_during_the_wait_grants_nothing(
    environment: Environment, entry_point: EntryPoint, caller: ThreadPoolExecutor
) -> None:
    tenant = environment.tenant()
    admin = environment.member(tenant, "admin")
    friend = environment.person()

    with holding(environment.address, HOLD_TENANT, tenant) as holder:
        call = caller.submit(
            entry_point,
            environment,
            admin,
            "grant_schema_access",
            schema_name=tenant,
            user_id=friend.id,
        )
        waiter(environment, holder.info.backend_pid, call)
        holder.execute(
            "update public.user_schema_access set expires_at = now() where user_id = %s",
            (admin.id,),
        )
        holder.commit()

    assert (call.result().status_code, code(call.result())) == (404, "tenant_not_found")


def test_admin_who_is_revoked_during_the_wait_is_refused(
    environment: Environment, entry_point: EntryPoint, caller: ThreadPoolExecutor
) -> None:
    tenant = environment.tenant()
    admin = environment.staff("admin")

    with holding(environment.address, HOLD_TENANT, tenant) as holder:
        call = caller.submit(
            entry_point, environment, admin, "suspend_tenant", schema_name=tenant
        )
        waiter(environment, holder.info.backend_pid, call)
        holder.execute("delete from public.admin_users where user_id = %s", (admin.id,))
        holder.commit()

    assert (call.result().status_code, code(call.result())) == (404, "tenant_not_found")
    assert environment.rpc(
        environment.service, "check_tenant_status", schema_name=tenant
    ).json() == {
        "schema_name": tenant,
        "status": "active",
    }


# Busy -----------------------------------------------------------------------------------


def assert_busy(reply: httpx.Response, entry_point: EntryPoint) -> None:
    is_function = entry_point is ENTRY_POINTS["function"]
    status = 503 if is_function else 429
    assert (reply.status_code, code(reply)) == (status, "busy"), reply.text
    assert reply.headers.get("Retry-After") == ("1" if is_function else None)


def test_busy_answers_do_not_make_postgrest_drop_its_connections(
    environment: Environment,
) -> None:
    tenant = environment.tenant()
    admin = environment.staff("admin")

    def connections(monitor: psycopg.Connection) -> set[int]:
        found = monitor.execute(
            "select pid from pg_stat_activity where application_name = %s", (tenant,)
        )
        return {pid for (pid,) in found}

    # This PostgREST hears no notification, so only its own replies make it close connections.
    with (
        psycopg.connect(environment.address.admin_db_url, autocommit=True) as monitor,
        holding(environment.address, HOLD_TENANT, tenant),
        unguarded_data_api(environment, tenant) as url,
    ):
        before = connections(monitor)
        replies = []
        for _ in range(3):
            replies.append(
                environment.http.post(
                    f"{url}/rpc/suspend_tenant",
                    headers=environment.headers(admin),
                    json={"schema_name": tenant},
                )
            )
            # PostgREST closes its connections after the reply to what it takes for a lost one.
            time.sleep(0.3)
        after = connections(monitor)

    assert before
    assert before <= after
    for reply in replies:
        assert_busy(reply, ENTRY_POINTS["rpc"])


def test_wait_for_a_lock_ends_with_busy_within_four_seconds(
    environment: Environment, entry_point: EntryPoint
) -> None:
    tenant = environment.tenant()
    admin = environment.staff("admin")

    with holding(environment.address, HOLD_TENANT, tenant):
        begun = time.monotonic()
        reply = entry_point(environment, admin, "suspend_tenant", schema_name=tenant)
        assert time.monotonic() - begun < 4

    assert_busy(reply, entry_point)
    assert (
        entry_point(environment, admin, "suspend_tenant", schema_name=tenant).status_code == 200
    )


def test_stranger_is_refused_without_a_wait(
    environment: Environment, entry_point: EntryPoint
) -> None:
    tenant = environment.tenant()

    with holding(environment.address, HOLD_TENANT, tenant):
        reply = entry_point(
            environment, environment.person(), "suspend_tenant", schema_name=tenant
        )

    assert (reply.status_code, code(reply)) == (404, "tenant_not_found")


def test_cancelled_statement_is_busy(
    environment: Environment, entry_point: EntryPoint, caller: ThreadPoolExecutor
) -> None:
    tenant = environment.tenant()
    admin = environment.staff("admin")

    with holding(environment.address, HOLD_TENANT, tenant) as holder:
        call = caller.submit(
            entry_point, environment, admin, "suspend_tenant", schema_name=tenant
        )
        pid = waiter(environment, holder.info.backend_pid, call)
        (cancelled,) = holder.execute("select pg_cancel_backend(%s)", (pid,)).fetchone() or ()
        reply = call.result()

    assert cancelled
    assert_busy(reply, entry_point)
    assert (
        entry_point(environment, admin, "suspend_tenant", schema_name=tenant).status_code == 200
    )


DEADLOCKS = "select deadlocks from pg_stat_database where datname = current_database()"


def test_deadlock_is_busy(
    environment: Environment, entry_point: EntryPoint, caller: ThreadPoolExecutor
) -> None:
    tenant = environment.tenant()
    friend = environment.person()
    grant = {"schema_name": tenant, "user_id": friend.id}
    (before,) = environment.sql.execute(DEADLOCKS).fetchall()

    with holding(environment.address, HOLD_TENANT, tenant) as holder:
        # The other session then detects the deadlock, and is cancelled.
        holder.execute("set local deadlock_timeout = '1min'")
        call = caller.submit(
            entry_point, environment, environment.service, "grant_schema_access", **grant
        )
        waiter(environment, holder.info.backend_pid, call)
        # The RPC has locked the user and waits for the tenant. This order is reversed.
        holder.execute("select from auth.users where id = %s for update", (friend.id,))
        reply = call.result()

    assert_busy(reply, entry_point)
    # The session of the RPC may report its statistics ten seconds later.
    deadline = time.monotonic() + 30
    while environment.sql.execute(DEADLOCKS).fetchall() == [before]:
        assert time.monotonic() < deadline, "There was no deadlock."
    assert (
        entry_point(
            environment, environment.service, "grant_schema_access", **grant
        ).status_code
        == 200
    )
