"""An emulator for the tests of this folder, and an entry point for each test."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.entry_points import ENTRY_POINTS, EntryPoint
from support.environment import Address, Environment
from tenantry_cli.emulator.stack import Stack


@pytest.fixture(params=ENTRY_POINTS)
def entry_point(request: pytest.FixtureRequest) -> EntryPoint:
    """Each entry point in turn."""
    return ENTRY_POINTS[request.param]


@pytest.fixture(scope="session")
def own_address() -> Iterator[Address]:
    """An emulator for tests that read all of its state or put it under load."""
    with Stack.start(port=None, ephemeral=True) as stack:
        yield Address.of(stack)


@pytest.fixture
def own_environment(own_address: Address) -> Iterator[Environment]:
    with Environment(own_address) as environment:
        yield environment


@pytest.fixture
def caller() -> Iterator[ThreadPoolExecutor]:
    """Two threads that call and wait while the test goes on."""
    with ThreadPoolExecutor(2) as thread:
        yield thread
