"""The end of an instance: the cloud sends SIGTERM, and kills the process 10 s later."""

import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import httpx

from support.callers import token
from support.deployment import Deployment, Served
from support.upstream import Reply, Upstream, result
from support.waiting import until

GRACE_SECONDS = 10
ACTIVE = {"schema_name": "acme", "status": "active"}


def check(group: Served) -> httpx.Response:
    return httpx.post(
        f"{group.url}/check_tenant_status",
        headers={"Authorization": f"Bearer {token(sub='a-user')}"},
        json={"schema_name": "acme"},
        timeout=30,
    )


def refuses_connections(group: Served) -> bool:
    try:
        httpx.get(group.url, timeout=0.2)
    except httpx.TransportError:
        return True
    return False


def test_running_request_is_finished_and_new_requests_are_refused(
    deployment: Deployment, variables: dict[str, str], upstream: Upstream
) -> None:
    upstream.will(Reply(200, json.dumps(ACTIVE).encode(), hold=True))
    with (
        deployment.serve("tenant_status", variables) as group,
        httpx.Client() as idle,
        ThreadPoolExecutor(1) as pool,
    ):
        # An idle connection that a client keeps open must not delay the end.
        assert idle.get(group.url).status_code == 200
        running = pool.submit(check, group)
        until(lambda: len(upstream.received) == 1)

        group.process.send_signal(signal.SIGTERM)
        signalled = time.monotonic()
        until(lambda: refuses_connections(group))
        assert not running.done()
        upstream.released.set()

        reply = running.result()
        assert (reply.status_code, reply.json()) == (200, ACTIVE)
        assert group.process.wait(timeout=20) == 0
        assert time.monotonic() - signalled < GRACE_SECONDS
    last = group.logged()[-1]
    assert (last["operation"], last["status"]) == ("check_tenant_status", 200)
    assert last["request_id"] == reply.headers["X-Request-Id"]


def test_request_that_the_database_does_not_answer_ends_within_the_grace_period(
    deployment: Deployment, variables: dict[str, str], upstream: Upstream
) -> None:
    upstream.will(result(ACTIVE), Reply(hold=True))
    hasty = {**variables, "TENANTRY_UPSTREAM_TIMEOUT_SECONDS": "1"}
    with (
        deployment.serve("tenant_status", hasty) as group,
        ThreadPoolExecutor(1) as pool,
    ):
        assert check(group).json() == ACTIVE
        running = pool.submit(check, group)
        until(lambda: len(upstream.received) == 2)
        group.process.send_signal(signal.SIGTERM)
        reply = running.result()
        assert (reply.status_code, reply.json()["code"]) == (504, "upstream_timeout")
        assert group.process.wait(timeout=GRACE_SECONDS) == 0
