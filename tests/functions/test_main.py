"""Each group as a separate process, and the files that are deployed with it."""

import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx

from support.callers import token
from support.deployment import FUNCTIONS, Deployment, repository, uploaded
from support.environment import GROUPS
from support.upstream import Upstream, result
from tenantry import __version__

PROJECT = tomllib.loads((FUNCTIONS.parent / "pyproject.toml").read_text())["project"]
MIB = 1024 * 1024


def test_group_starts_alone_and_ends_on_sigterm(
    entry_point: str, deployment: Deployment, variables: dict[str, str]
) -> None:
    with deployment.serve(entry_point, variables) as group:
        health = httpx.get(group.url)
        assert health.status_code == 200
        assert health.json()["name"] == entry_point.replace("_", "-")
        assert health.json()["version"] == __version__
        assert set(health.json()["operations"]) == {
            operation for operation, group in GROUPS.items() if group == health.json()["name"]
        }
        group.process.send_signal(signal.SIGTERM)
        assert group.process.wait(timeout=20) == 0
    start, line = group.logged()
    assert start["release"] == __version__
    assert f"fits a database with release {__version__}" in start["message"]
    assert line["status"] == 200


def test_process_without_a_setting_ends_with_one_sentence(
    deployment: Deployment, variables: dict[str, str]
) -> None:
    del variables["SUPABASE_URL"]
    with deployment.start("tenant_status", variables, subprocess.PIPE) as process:
        out, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert (out, err) == (
        "",
        "SUPABASE_URL is not set: it holds the address of the Supabase project.\n",
    )


def test_forked_worker_serves_calls_and_stops_bodies_without_a_length(
    deployment: Deployment, variables: dict[str, str], upstream: Upstream
) -> None:
    def chunks(size: int) -> Iterator[bytes]:
        yield b"{"
        for _ in range(size // 4096):
            yield b" " * 4096
        yield b"}"

    upstream.will(result([]))
    with (
        deployment.serve("tenant_status", variables) as group,
        httpx.Client(headers={"Authorization": f"Bearer {token(sub='a')}"}) as client,
    ):
        url = f"{group.url}/list_my_tenants"
        assert client.post(url, content=chunks(MIB // 2)).json() == []
        large = client.post(url, content=chunks(8 * MIB))
        assert (large.status_code, large.json()["code"]) == (413, "payload_too_large")
        # The connection is still usable, because the rest of the body was read.
        assert client.get(group.url).status_code == 200
    assert len(upstream.received) == 1


def test_deploy_installs_what_the_project_depends_on() -> None:
    requirements = (FUNCTIONS / "requirements.txt").read_text().splitlines()
    assert requirements == PROJECT["dependencies"]


def test_deploy_uploads_only_the_files_that_the_targets_need(tmp_path: Path) -> None:
    folder = repository(tmp_path / "functions")
    for stray in (".env.yaml", "key.json", "dump.sql", ".venv/bin/python", "tenantry/x.pyc"):
        (folder / stray).parent.mkdir(parents=True, exist_ok=True)
        (folder / stray).touch()
    package = [
        str(path.relative_to(FUNCTIONS))
        for path in FUNCTIONS.glob("tenantry/**/*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    assert uploaded(folder) == sorted(["main.py", "requirements.txt", *package])


def test_start_imports_no_package_beyond_its_frameworks_and_an_http_client(
    variables: dict[str, str],
) -> None:
    script = """
import sys, functions_framework, httpx, supabase
httpx.Client().close()
before = {name.partition(".")[0] for name in sys.modules}
import main
after = {name.partition(".")[0] for name in sys.modules}
print(*sorted(after - before - sys.stdlib_module_names))
print(*sorted({"tenantry.openapi_document", "tenantry.catalogue"} & {*sys.modules}))
"""
    loaded = subprocess.run(
        [sys.executable, "-c", script],
        cwd=FUNCTIONS,
        env={"PATH": os.environ["PATH"], **variables},
        check=True,
        capture_output=True,
        text=True,
    )
    # Modules for the OpenAPI document are loaded with the first request for it.
    assert loaded.stdout.splitlines() == ["main tenantry", ""]
