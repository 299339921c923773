"""An emulator beside the shared one, because a registered migration concerns all tenants."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from support.environment import Address
from support.fleet import Fleet
from tenantry_cli.emulator.stack import Stack


@pytest.fixture(scope="session")
def fleet_address() -> Iterator[Address]:
    with Stack.start(port=None, ephemeral=True) as stack:
        yield Address(
            **{field.name: getattr(stack, field.name) for field in dataclasses.fields(Address)}
        )


@pytest.fixture
def fleet(fleet_address: Address) -> Iterator[Fleet]:
    """Tenants of this test alone, which are deleted after it."""
    fleet = Fleet(fleet_address)
    try:
        yield fleet
    finally:
        fleet.close()
