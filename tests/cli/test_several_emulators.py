"""Which of several running emulators a command means."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner, Result

from tenantry_cli.emulator.state import State, ephemeral_file, regular_file, write_state
from tenantry_cli.main import main
from tenantry_cli.project import Project

PORTS = (54400, 54500)


@pytest.fixture
def supervisor() -> Iterator[psutil.Popen]:
    """A process in place of those that keep the emulators running."""
    with psutil.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


@pytest.fixture
def project(
    tmp_path: Path, supervisor: psutil.Popen, monkeypatch: pytest.MonkeyPatch
) -> Project:
    """A project with two ephemeral emulators."""
    project = Project(tmp_path)
    project.migrations.mkdir(parents=True)
    (tmp_path / "supabase" / "config.toml").touch()
    for port in PORTS:
        write_state(ephemeral_file(project, port), state(supervisor, port, "/nowhere"))
    monkeypatch.chdir(tmp_path)
    return project


def state(supervisor: psutil.Popen, port: int, throw_away: str | None) -> State:
    connection = {
        name: f"{name.lower()} {port}"
        for name in (
            *("API_URL", "FUNCTIONS_URL", "DB_URL", "PUBLISHABLE_KEY", "SECRET_KEY"),
            *("ANON_KEY", "SERVICE_ROLE_KEY", "SUPABASE_CLI"),
        )
    }
    return State(
        f"run {port}", port, supervisor.pid, supervisor.create_time(), throw_away, connection
    )


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize(
    "arguments", [("status",), ("status", "--json"), ("down",), ("reset",)]
)
def test_nobody_chooses_one_of_several_ephemeral_emulators(
    project: Project, supervisor: psutil.Popen, arguments: tuple[str, ...]
) -> None:
    refused = run(*arguments)

    assert refused.exit_code == 1
    assert "run, on the ports 54400, 54500. Choose one with --port" in refused.output
    assert supervisor.is_running()


def test_the_named_one_is_shown(project: Project) -> None:
    assert "api_url 54500" in run("status", "--port=54500").output


def test_the_only_one_is_shown(project: Project) -> None:
    ephemeral_file(project, PORTS[0]).unlink()

    assert "api_url 54500" in run("status").output


def test_the_regular_one_is_shown_first(project: Project, supervisor: psutil.Popen) -> None:
    write_state(regular_file(project), state(supervisor, 54321, None))

    assert "api_url 54321" in run("status").output
