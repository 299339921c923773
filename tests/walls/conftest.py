"""A database beside the shared one, for what a migration does to a project."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from rich.console import Console

from stage import Address
from tenantry_cli.emulator.parts import Parts, install_parts
from tenantry_cli.emulator.postgres import Postgres


@pytest.fixture
def parts() -> Parts:
    return install_parts(Console(quiet=True))


@pytest.fixture
def scratch(address: Address, parts: Parts) -> Iterator[str]:
    """The URL of a database in the state before our first migration."""
    port = urlsplit(address.db_url).port
    assert port is not None
    # Of a server that already runs only the port matters.
    server = Postgres(parts.postgres, Path("unused"), port)
    name = f"test_{secrets.token_hex(6)}"
    try:
        yield server.create_database(name)
    finally:
        server.drop_database(name)
