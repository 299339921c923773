"""The functions as functions-framework serves them, in front of a scripted PostgREST."""

import ast
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import functions_framework
import pytest
from flask import Flask
from werkzeug.test import Client

from functions.callers import Start, User
from functions.upstream import Upstream

MAIN = Path(__file__).parents[2] / "functions" / "main.py"


def entry_points() -> list[str]:
    """The groups that main.py names, read without running it."""
    for statement in ast.parse(MAIN.read_text()).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=names):
                return cast(list[str], ast.literal_eval(names))
    raise AssertionError("main.py has no __all__")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `entry_point` runs once for each group that main.py names."""
    if "entry_point" in metafunc.fixturenames:
        # The console is a page and no group.
        metafunc.parametrize("entry_point", [n for n in entry_points() if n != "console"])


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return cast(int, probe.getsockname()[1])


@pytest.fixture
def environment(upstream: Upstream) -> dict[str, str]:
    """What a deployed process finds in its environment."""
    return {
        "SUPABASE_URL": upstream.url,
        "SUPABASE_ANON_KEY": "the-anon-key",
        "TENANTRY_ALLOWED_ORIGINS": "https://app.example, https://admin.example",
        "TENANTRY_UPSTREAM_TIMEOUT_SECONDS": "5",
    }


@pytest.fixture
def start(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts one group as a new process would: settings and pool are read afresh."""

    def forget() -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == "tenantry"]:
            if name == "tenantry.database":
                sys.modules[name].POOL.close()
            del sys.modules[name]

    def start(target: str, **changed: str) -> Client:
        forget()
        # functions-framework writes these two into the environment itself.
        started = {"FUNCTION_TARGET": target, "FUNCTION_SIGNATURE_TYPE": "http"}
        for name, value in (environment | started | changed).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "path", [*sys.path])
        create_app: Callable[..., Flask] = functions_framework.create_app
        return create_app(target, str(MAIN), "http").test_client()

    yield start
    forget()


@pytest.fixture
def member(start: Start) -> User:
    return User(start("tenant_status"))
