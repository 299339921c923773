"""The cost that the HTTPS functions add to a call of the database."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psycopg
import requests

from tenantry_cli.emulator.paths import FUNCTIONS
from tenantry_cli.emulator.ports import claim_free
from tenantry_cli.emulator.process import Child
from tenantry_cli.emulator.stack import Stack
from tenantry_cli.project import find_project

from .databases import Caller, Database
from .results import Results
from .rounds import Action, alternating, timed

_CALLERS = 32
_BURST_SECONDS = 2.0
_NAIVE = Path(__file__).with_name("naive.py")
_SETTINGS = {
    "SUPABASE_ANON_KEY": "sb_publishable_bench",
    "TENANTRY_ALLOWED_ORIGINS": "*",
    "TENANTRY_UPSTREAM_TIMEOUT_SECONDS": "10",
}


def measure_imports(results: Results, rounds: int) -> None:
    """Row 10: a new interpreter for each import, with compiled files."""
    functions = str(find_project().functions)
    sides = {
        "ours": _import("import main", functions),
        "theirs": _import("import supabase, functions_framework", functions),
    }
    series = alternating(sides, rounds=rounds, repeats=3, warm_up=2)
    results.ratio(
        10,
        "cold import of functions/main.py ÷ of supabase and functions_framework",
        series["ours"],
        series["theirs"],
        1.25,
    )


def measure_calls(results: Results, stack: Stack, rounds: int) -> None:
    """Row 9: our handler, the same RPC by raw HTTP, and a handler with a client per request.

    All three reach the Data API through the same gateway. A single caller uses a pooled client,
    as an application would. Many callers use as little processor time as possible, because they
    share the processor with what is measured.
    """
    gateway = stack.ports.gateway
    with ExitStack() as cleanup:
        naive = cleanup.enter_context(_naive(stack))
        with psycopg.connect(stack.db_url, autocommit=True) as connection:
            database = Database(stack, "postgres", connection)
            tenant = database.create()
            token = database.member(tenant)
        body = {"schema_name": tenant}
        ours = f"{FUNCTIONS}/tenant-status/check_tenant_status"
        entry_points = {
            "ours": (stack.ports.functions, ours),
            "raw": (gateway, "/rest/v1/rpc/check_tenant_status"),
            "naive": (naive, f"{FUNCTIONS}/check-tenant-status"),
        }
        client = cleanup.enter_context(
            httpx.Client(headers={"Authorization": f"Bearer {token}"})
        )
        sides = {
            name: _post(client, f"http://127.0.0.1:{port}{path}", body)
            for name, (port, path) in entry_points.items()
            if name != "naive"
        }
        series = alternating(sides, rounds=rounds, repeats=100, warm_up=50)
        results.ratio(
            9,
            "a call of the function check_tenant_status ÷ the RPC by pooled raw HTTP",
            series["ours"],
            series["raw"],
            1.75,
        )
        bursts = {
            name: _burst(port, path, token, body) for name, (port, path) in entry_points.items()
        }
        served = alternating(bursts, rounds=max(5, rounds - 2), warm_up=1)
        results.ratio(
            9,
            f"seconds a request with {_CALLERS} callers, the function ÷ the RPC",
            served["ours"],
            served["raw"],
            None,
        )
        results.ratio(
            9,
            f"seconds a request with {_CALLERS} callers, a client per request ÷ ours",
            served["naive"],
            served["ours"],
            None,
        )
        results.remarks.append(
            f"Requests per second with {_CALLERS} callers: {1 / served['raw'].median:.0f} of the"
            f" RPC, {1 / served['ours'].median:.0f} of our function,"
            f" {1 / served['naive'].median:.0f} with a client per request."
        )


def _import(statement: str, functions: str) -> Action:
    command = [sys.executable, "-c", statement]
    variables = {
        **os.environ,
        **_SETTINGS,
        "SUPABASE_URL": "http://127.0.0.1:1",
        "PYTHONPATH": functions,
    }
    return timed(lambda: subprocess.run(command, check=True, env=variables))


def _post(client: httpx.Client, url: str, body: object) -> Action:
    return timed(lambda: client.post(url, json=body).raise_for_status())


def _burst(port: int, path: str, token: str, body: object) -> Action:
    """Seconds per request while all callers send requests."""

    def run() -> float:
        end = time.perf_counter() + _BURST_SECONDS
        ready = threading.Barrier(_CALLERS)

        def call() -> int:
            caller = Caller(port, token)
            ready.wait()
            done = 0
            while time.perf_counter() < end:
                caller.post(path, body)
                done += 1
            caller.close()
            return done

        with ThreadPoolExecutor(_CALLERS) as pool:
            futures = [pool.submit(call) for _ in range(_CALLERS)]
            return _BURST_SECONDS / sum(future.result() for future in futures)

    return run


@contextmanager
def _naive(stack: Stack) -> Iterator[int]:
    """The port of a handler with a client per request, served as the emulator serves ours."""
    with ExitStack() as cleanup:
        ports, claim = claim_free()
        cleanup.enter_context(claim)
        scratch = cleanup.enter_context(tempfile.TemporaryDirectory())
        settings = _SETTINGS | {
            "SUPABASE_URL": stack.api_url,
            "SUPABASE_ANON_KEY": stack.anon_key,
        }
        child = Child(
            "The naive function",
            [
                *(sys.executable, "-m", "tenantry_cli.emulator.functions"),
                *("--port", str(ports.functions), "--source", _NAIVE),
                *("--swagger-ui", stack.components.swagger_ui),
                *("--supabase-js", stack.components.supabase_js),
            ],
            log=Path(scratch, "naive.log"),
            env={**os.environ, **settings},
            cwd=find_project().root,
        )
        cleanup.callback(child.stop)
        child.wait_until(lambda: _answers(f"http://127.0.0.1:{ports.functions}{FUNCTIONS}/"))
        yield ports.functions


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.ConnectionError:
        return False
