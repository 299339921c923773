"""A database or an emulator of their own: a registered migration concerns all tenants."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from support.databases import complete_database
from support.environment import Address
from support.fleet import Fleet, ServedFleet
from tenantry_cli.emulator.postgres import Postgres


@pytest.fixture(scope="session")
def fleet_database(address: Address, server: Postgres) -> Iterator[Address]:
    """A database in the shared server. Nothing but SQL reaches it."""
    with complete_database(server) as name:
        yield dataclasses.replace(
            address,
            db_url=server.url(name),
            admin_db_url=server.admin_url(name),
            api_url="http://nowhere.invalid",
            postgrest_url="http://nowhere.invalid",
        )


@pytest.fixture
def fleet(fleet_database: Address) -> Iterator[Fleet]:
    """Tenants of this test alone, which are deleted after it."""
    fleet = Fleet(fleet_database)
    try:
        yield fleet
    finally:
        fleet.close()


@pytest.fixture
def served(own_address: Address) -> Iterator[ServedFleet]:
    """The same for a test that uses the Data API or the command."""
    served = ServedFleet(own_address)
    try:
        yield served
    finally:
        served.close()
