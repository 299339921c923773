"""A database without our migrations, for tests of what a migration does to a project."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from rich.console import Console

from tenantry_cli.emulator.components import Components, install_components
from tenantry_cli.emulator.postgres import Postgres


@pytest.fixture
def components() -> Components:
    return install_components(Console(quiet=True))


@pytest.fixture
def scratch(server: Postgres) -> Iterator[str]:
    """The URL of a database in the state before our migration."""
    name = f"test_{secrets.token_hex(6)}"
    try:
        yield server.create_database(name)
    finally:
        server.drop_database(name)
