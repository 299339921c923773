"""What the journeys share."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.entry_points import DOORS, Door
from support.environment import Address, Environment
from tenantry_cli.emulator.stack import Stack


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> Door:
    """One door after the other."""
    return DOORS[request.param]


@pytest.fixture(scope="module")
def own_address() -> Iterator[Address]:
    """An emulator for campaigns that look at all of it, or keep it busy."""
    with Stack.start(port=None, ephemeral=True) as stack:
        yield Address.of(stack)


@pytest.fixture
def own_environment(own_address: Address) -> Iterator[Environment]:
    environment = Environment(own_address)
    try:
        yield environment
    finally:
        environment.close()


@pytest.fixture
def caller() -> Iterator[ThreadPoolExecutor]:
    """More hands: they call and wait while the test goes on."""
    with ThreadPoolExecutor(2) as thread:
        yield thread
