"""Fixtures that every test may ask for."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from support import sessions
from support.databases import complete_database, empty_database
from support.environment import Address, Environment
from support.upstream import Upstream
from tenantry_cli.emulator.postgres import Postgres
from tenantry_cli.emulator.stack import Stack

_WORKERS = 4
_LONG_MARKS = {"long", "soak"}

pytest_plugins = ["support.browser", "support.deployment", "support.shared_emulator"]


def pytest_configure() -> None:
    # Whoever starts the tests in the background, as a script does, may let them ignore Ctrl-C.
    # The commands that tests interrupt would inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """The duration and the needs of a run, shown at its beginning."""
    if config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return []
    return [
        "duration: all tests take about 15 minutes on two cores",
        "needs: 1 GB in TMPDIR, free ports on 127.0.0.1, a package registry at the first run",
        "optional: Debian's chromium, chromium-driver, postgresql-15-plpgsql-check;"
        " without them the tests that use them are skipped",
    ]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """How many workers `-n auto` starts. Starting them takes longer than a few tests."""
    if all("::" in argument for argument in config.args):
        return 0
    return 2 if config.args[0].endswith(".py") and len(config.args) == 1 else _WORKERS


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Lets long modules start first. Otherwise the last ones run while other workers idle."""
    first = {
        item.path for item in items for mark in item.iter_markers() if mark.name in _LONG_MARKS
    }
    items.sort(key=lambda item: item.path not in first)


def pytest_sessionfinish() -> None:
    sessions.close_all()


@pytest.fixture
def environment(address: Address) -> Iterator[Environment]:
    """People, tenants and calls of one test. They are removed after this or a later test."""
    with Environment(address, removes="later") as environment:
        yield environment


@pytest.fixture(scope="session")
def own_address() -> Iterator[Address]:
    """Another emulator, of one worker alone.

    It is for tests that read the whole state, put the server under load or change what concerns
    all users. They leave nothing behind, because the other tests of the worker use it, too.
    """
    with Stack.start(port=None, ephemeral=True) as stack:
        yield Address.of(stack)


@pytest.fixture
def own_environment(own_address: Address) -> Iterator[Environment]:
    with Environment(own_address) as environment:
        yield environment


@pytest.fixture
def database(address: Address) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """A session in the shared database as `postgres`, rolled back after the test."""
    session = sessions.borrow(address.db_url)
    session.set_autocommit(False)
    try:
        yield session
    finally:
        if not session.closed:
            session.rollback()
            session.set_autocommit(True)
        sessions.give_back(address.db_url, session)


@pytest.fixture(scope="session")
def server(address: Address) -> Postgres:
    """The shared emulator's PostgreSQL, for tests that create more databases in it."""
    port = conninfo_to_dict(address.db_url)["port"]
    # The server already runs, so only its port is used.
    return Postgres(Path("unused"), Path("unused"), int(str(port)))


@pytest.fixture
def other_project(server: Postgres) -> Iterator[str]:
    """The URL of a new database with all migrations and no users."""
    with complete_database(server) as name:
        yield server.url(name)


@pytest.fixture
def empty_project(server: Postgres) -> Iterator[str]:
    """The URL of a new database without migrations."""
    with empty_database(server) as name:
        yield server.url(name)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A scripted PostgREST."""
    server = Upstream()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def soak() -> bool:
    """Whether the long tests run at full size."""
    return os.environ.get("TENANTRY_SOAK") == "1"
