"""One ephemeral emulator for the whole run, shared by all workers.

The controlling process starts the emulator before the workers and stops it after them, so
nothing outlives the run, also when a worker dies.
"""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from support.environment import Address, Environment
from tenantry_cli.emulator.postgres import Postgres
from tenantry_cli.emulator.stack import Stack
from tenantry_cli.project import find_project
from tenantry_cli.sources import build_database

pytest_plugins = ["support.browser", "support.deployment"]

_EMULATOR = pytest.StashKey[ExitStack]()
_ADDRESS = pytest.StashKey[Address]()


def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    if hasattr(config, "workerinput"):
        config.stash[_ADDRESS] = Address(**json.loads(config.workerinput["address"]))
        return
    if config.option.collectonly:
        return
    # Being told to end, as by a time limit, ends what was started as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    config.stash[_EMULATOR] = ExitStack()
    stack = config.stash[_EMULATOR].enter_context(Stack.start(port=None, ephemeral=True))
    config.stash[_ADDRESS] = Address.of(stack)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tells a worker where the emulator is (a hook of pytest-xdist)."""
    node.workerinput["address"] = json.dumps(dataclasses.asdict(node.config.stash[_ADDRESS]))


def pytest_unconfigure(config: pytest.Config) -> None:
    if _EMULATOR in config.stash:
        config.stash[_EMULATOR].close()


@pytest.fixture(scope="session")
def address(pytestconfig: pytest.Config) -> Address:
    """Where the shared emulator answers."""
    return pytestconfig.stash[_ADDRESS]


@pytest.fixture
def environment(address: Address) -> Iterator[Environment]:
    """People, tenants and entry points of one test; gone after it."""
    environment = Environment(address)
    try:
        yield environment
    finally:
        environment.close()


@pytest.fixture
def database(address: Address) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """A look at the shared database as `postgres`, rolled back after the test."""
    with psycopg.connect(address.db_url, row_factory=psycopg.rows.dict_row) as connection:
        yield connection
        connection.rollback()


@pytest.fixture(scope="session")
def server(address: Address) -> Postgres:
    """The shared emulator's PostgreSQL, to make databases beside its own."""
    port = conninfo_to_dict(address.db_url)["port"]
    # Of a server that already runs only the port matters.
    return Postgres(Path("unused"), Path("unused"), int(str(port)))


@pytest.fixture
def other_project(server: Postgres) -> Iterator[str]:
    """The URL of a database with all migrations and nobody in it."""
    name = f"test_{secrets.token_hex(6)}"
    try:
        url = server.create_database(name)
        build_database(find_project(), url)
        yield url
    finally:
        server.drop_database(name)


@pytest.fixture(scope="session")
def soak() -> bool:
    """Whether long campaigns are to run at full size."""
    return os.environ.get("TENANTRY_SOAK") == "1"
