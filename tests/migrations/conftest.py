"""A database or an emulator of their own: a registered migration concerns all tenants."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterator

import pytest

from support.environment import Address
from support.fleet import Fleet, ServedFleet
from tenantry_cli.emulator.postgres import Postgres
from tenantry_cli.project import find_project
from tenantry_cli.sources import build_database


@pytest.fixture(scope="session")
def fleet_database(address: Address, server: Postgres) -> Iterator[Address]:
    """A database in the shared server. Nothing but SQL reaches it."""
    name = f"fleet_{secrets.token_hex(6)}"
    try:
        url = server.create_database(name)
        build_database(find_project(), url)
        yield dataclasses.replace(
            address,
            db_url=url,
            admin_db_url=server.admin_url(name),
            api_url="http://nowhere.invalid",
            postgrest_url="http://nowhere.invalid",
        )
    finally:
        server.drop_database(name)


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
