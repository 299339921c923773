"""Each group as a process of its own, and what is deployed with it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from functions.callers import token
from functions.upstream import Upstream, result
from stage import GROUPS

FUNCTIONS = Path(__file__).parents[2] / "functions"
MIB = 1024 * 1024


@contextmanager
def served(
    target: str, port: int, environment: dict[str, str]
) -> Iterator[subprocess.Popen[str]]:
    """One group under the functions-framework command, once it answers."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "functions_framework", "--source", "main.py"),
            *("--target", target, "--host", "127.0.0.1", "--port", str(port)),
        ],
        cwd=FUNCTIONS,
        env={"PATH": os.environ["PATH"], **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            await_listener(process, port)
            yield process
        finally:
            process.kill()


def await_listener(process: subprocess.Popen[str], port: int) -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)


def test_group_starts_alone_and_ends_on_sigterm(
    entry_point: str, free_port: int, environment: dict[str, str]
) -> None:
    with served(entry_point, free_port, environment) as process:
        health = httpx.get(f"http://127.0.0.1:{free_port}/")
        assert health.status_code == 200
        assert health.json()["name"] == entry_point.replace("_", "-")
        assert set(health.json()["operations"]) == {
            operation for operation, group in GROUPS.items() if group == health.json()["name"]
        }
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    (line,) = map(json.loads, out.splitlines())
    assert line["status"] == 200


def test_process_without_a_setting_ends_with_one_sentence(
    free_port: int, environment: dict[str, str]
) -> None:
    del environment["SUPABASE_URL"]
    with served("tenant_status", free_port, environment) as process:
        out, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert (out, err) == (
        "",
        "SUPABASE_URL is not set: it holds the address of the Supabase project.\n",
    )


def test_forked_worker_serves_calls_and_stops_bodies_without_a_length(
    free_port: int, environment: dict[str, str], upstream: Upstream
) -> None:
    def chunks(size: int) -> Iterator[bytes]:
        yield b"{"
        for _ in range(size // 4096):
            yield b" " * 4096
        yield b"}"

    upstream.will(result([]))
    url = f"http://127.0.0.1:{free_port}/list_my_tenants"
    with (
        served("tenant_status", free_port, environment),
        httpx.Client(headers={"Authorization": f"Bearer {token(sub='a')}"}) as client,
    ):
        assert client.post(url, content=chunks(MIB // 2)).json() == []
        large = client.post(url, content=chunks(8 * MIB))
        assert (large.status_code, large.json()["code"]) == (413, "payload_too_large")
        # The connection is still good: the rest of the body was read.
        assert client.get(f"http://127.0.0.1:{free_port}/").status_code == 200
    assert len(upstream.received) == 1


def test_deploy_installs_what_the_project_depends_on() -> None:
    project = tomllib.loads((FUNCTIONS.parent / "pyproject.toml").read_text())["project"]
    requirements = (FUNCTIONS / "requirements.txt").read_text().splitlines()
    assert requirements == project["dependencies"]


def test_health_tells_the_projects_version(free_port: int, environment: dict[str, str]) -> None:
    project = tomllib.loads((FUNCTIONS.parent / "pyproject.toml").read_text())["project"]
    with served("tenant_status", free_port, environment):
        health = httpx.get(f"http://127.0.0.1:{free_port}/")
    assert health.json()["version"] == project["version"]


def test_start_imports_no_package_beyond_its_frameworks_and_an_http_client(
    environment: dict[str, str],
) -> None:
    script = """
import sys, functions_framework, httpx, supabase
httpx.Client().close()
before = {name.partition(".")[0] for name in sys.modules}
import main
after = {name.partition(".")[0] for name in sys.modules}
print(*sorted(after - before - sys.stdlib_module_names))
print(*sorted({"tenantry.document", "tenantry.examples", "tenantry.refusals"} & {*sys.modules}))
"""
    loaded = subprocess.run(
        [sys.executable, "-c", script],
        cwd=FUNCTIONS,
        env={"PATH": os.environ["PATH"], **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    # What only the OpenAPI document needs is loaded with the first request for it.
    assert loaded.stdout.splitlines() == ["main tenantry", ""]


@pytest.mark.parametrize("private", ["tenantry_cli/", ".env*"])
def test_deploy_leaves_out(private: str) -> None:
    assert private in (FUNCTIONS / ".gcloudignore").read_text().splitlines()
