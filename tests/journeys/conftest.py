"""What the journeys share."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from journeys.doors import DOORS, Door
from stage import Address, Stage
from tenantry_cli.emulator.stack import Stack


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> Door:
    """One door after the other."""
    return DOORS[request.param]


@pytest.fixture(scope="module")
def own_address() -> Iterator[Address]:
    """An emulator for campaigns that look at all of it, or keep it busy."""
    with Stack.start(port=None, ephemeral=True) as stack:
        yield Address(
            **{field.name: getattr(stack, field.name) for field in dataclasses.fields(Address)}
        )


@pytest.fixture
def own_stage(own_address: Address) -> Iterator[Stage]:
    stage = Stage(own_address)
    try:
        yield stage
    finally:
        stage.close()


@pytest.fixture
def caller() -> Iterator[ThreadPoolExecutor]:
    """More hands: they call and wait while the test goes on."""
    with ThreadPoolExecutor(2) as thread:
        yield thread
