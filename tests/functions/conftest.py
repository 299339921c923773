"""The functions as functions-framework serves them, in front of a scripted PostgREST."""

import socket
import sys
from collections.abc import Callable, Iterator
from typing import cast

import functions_framework
import pytest
from flask import Flask
from werkzeug.test import Client

from support.callers import Start, User
from support.deployment import FUNCTIONS, entry_points
from support.upstream import Upstream


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `entry_point` runs once for each group."""
    if "entry_point" in metafunc.fixturenames:
        # The console is a page and no group.
        metafunc.parametrize("entry_point", [n for n in entry_points() if n != "console"])


@pytest.fixture
def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return cast(int, probe.getsockname()[1])


@pytest.fixture
def variables(upstream: Upstream) -> dict[str, str]:
    """What a deployed process finds in its environment."""
    return {
        "SUPABASE_URL": upstream.url,
        "SUPABASE_ANON_KEY": "the-anon-key",
        "TENANTRY_ALLOWED_ORIGINS": "https://app.example, https://admin.example",
        "TENANTRY_UPSTREAM_TIMEOUT_SECONDS": "5",
        # The scripted PostgREST has no cache.
        "TENANTRY_CACHE_WAIT_SECONDS": "0",
    }


@pytest.fixture
def start(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts one group as a new process would: settings and pool are new."""

    def forget() -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == "tenantry"]:
            if name == "tenantry.database":
                sys.modules[name].POOL.close()
            del sys.modules[name]

    def start(target: str, **changed: str) -> Client:
        forget()
        # functions-framework writes these two into the environment itself.
        started = {"FUNCTION_TARGET": target, "FUNCTION_SIGNATURE_TYPE": "http"}
        for name, value in (variables | started | changed).items():
            monkeypatch.setenv(name, value)
        if "GOOGLE_CLOUD_PROJECT" not in changed:
            monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
        monkeypatch.setattr(sys, "path", [*sys.path])
        create_app: Callable[..., Flask] = functions_framework.create_app
        return create_app(target, str(FUNCTIONS / "main.py"), "http").test_client()

    yield start
    forget()


@pytest.fixture
def member(start: Start) -> User:
    return User(start("tenant_status"))
