"""Databases of tests in the server of the shared emulator."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from tenantry_cli.emulator.postgres import Postgres
from tenantry_cli.project import find_project
from tenantry_cli.sources import build_database


@contextmanager
def empty_database(server: Postgres) -> Iterator[str]:
    """The name of a new database without migrations, which is dropped at the end."""
    name = f"test_{secrets.token_hex(6)}"
    try:
        server.create_database(name)
        yield name
    finally:
        server.drop_database(name)


@contextmanager
def complete_database(server: Postgres) -> Iterator[str]:
    """The name of one with all migrations."""
    with empty_database(server) as name:
        build_database(find_project(), server.url(name))
        yield name
