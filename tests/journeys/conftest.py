"""What the journeys share."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.entry_points import ENTRY_POINTS, EntryPoint
from support.environment import Address, Environment
from tenantry_cli.emulator.stack import Stack


@pytest.fixture(params=ENTRY_POINTS)
def entry_point(request: pytest.FixtureRequest) -> EntryPoint:
    """One entry point after the other."""
    return ENTRY_POINTS[request.param]


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
