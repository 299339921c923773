"""Databases beside the shared emulator's own, and a tenant that a module's tests share."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

import pytest
from rich.console import Console

from support.environment import Address, Environment
from tenantry_cli.emulator.components import Components, install_components
from tenantry_cli.emulator.postgres import Postgres


@pytest.fixture(scope="module")
def components() -> Components:
    return install_components(Console(quiet=True))


@pytest.fixture(scope="module")
def empty(server: Postgres) -> Iterator[Callable[[], str]]:
    """Makes databases of projects without migrations, and returns their URLs."""
    made: list[str] = []

    def make() -> str:
        made.append(f"text_{secrets.token_hex(6)}")
        return server.create_database(made[-1])

    yield make
    for name in made:
        server.drop_database(name)


@pytest.fixture(scope="module")
def tenant(address: Address) -> Iterator[str]:
    """One tenant for all tests of a module, unless the module defines another fixture.

    Each test adds its own people.
    """
    with Environment(address) as environment:
        yield environment.tenant()
