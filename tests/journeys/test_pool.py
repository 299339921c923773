"""A tenant of the pool takes a write at once: the campaign, and its scaled-down form.

At full size: `TENANTRY_SOAK=1 pytest -n 0 -s tests/journeys/test_pool.py`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from support.environment import Address, Environment
from support.waiting import is_known, until
from tenantry_cli.emulator.stack import Stack

pytestmark = pytest.mark.soak


@pytest.fixture
def alone(request: pytest.FixtureRequest, soak: bool) -> Iterator[Environment]:
    """An environment without other tests. At full size it is thrown away."""
    if not soak:
        yield request.getfixturevalue("own_environment")
        return
    with (
        Stack.start(port=None, ephemeral=True) as stack,
        Environment(Address.of(stack), removes="never") as environment,
    ):
        yield environment


def test_tenant_of_the_pool_takes_the_first_write(alone: Environment, soak: bool) -> None:
    tenants, claims = (3000, 200) if soak else (5, 6)
    undisturbed = 0.0
    _grow(alone, tenants)
    try:
        for is_refilled in (False, True):
            _fill(alone, claims)
            stop = threading.Event()
            with ThreadPoolExecutor(1) as other:
                refilling = other.submit(_keep_refilling, alone, stop) if is_refilled else None
                try:
                    seconds = sorted(_create_and_write(alone) for _ in range(claims))
                finally:
                    stop.set()
                if refilling is not None:
                    refilling.result()
            p50, p99 = seconds[claims // 2], seconds[claims * 99 // 100]
            print(
                f"\n{tenants} tenants, {claims} taken from the pool"
                f"{', which is refilled meanwhile' if is_refilled else ''}: from the call to"
                f" the first write p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms,"
                f" longest {seconds[-1] * 1000:.0f} ms"
            )
            if not is_refilled:
                undisturbed = p99
    finally:
        if not soak:
            _fill(alone, 0)
    if soak:
        assert undisturbed < 0.1


def _grow(environment: Environment, tenants: int) -> None:
    for _ in range(tenants):
        environment.tenant()
    environment.sql.execute("vacuum analyze")


def _fill(environment: Environment, size: int) -> None:
    """Returns when the pool has this size and PostgREST knows its tables."""
    environment.sql.execute(
        "update tenancy.platform_settings set pool_size = %s, pool_wait_seconds = %s"
        " where true",
        # Nothing is taken meanwhile.
        (size, 0 if size else 60),
    )
    while True:
        reply = environment.rpc(environment.service, "refill_tenant_pool")
        state = reply.raise_for_status().json()
        if not state["missing"] and not state["surplus"]:
            break
    pooled = environment.sql.execute(
        "select schema_name from public.tenants where status = 'pooled'"
    ).fetchall()
    for row in pooled:
        until(partial(is_known, environment, row["schema_name"], "settings"), seconds=120)


def _keep_refilling(environment: Environment, stop: threading.Event) -> None:
    while not stop.is_set():
        environment.rpc(environment.service, "refill_tenant_pool").raise_for_status()
        stop.wait(0.2)


def _create_and_write(environment: Environment) -> float:
    begun = time.perf_counter()
    created = environment.rpc(environment.service, "create_tenant_schema")
    name = created.raise_for_status().json()["schema_name"]
    written = environment.rows(
        environment.service, name, "settings", "POST", json={"key": "plan", "value": "free"}
    )
    taken = time.perf_counter() - begun

    environment.adopt_tenant(name)
    # Without a second attempt.
    assert written.status_code == 201, written.text
    return taken
