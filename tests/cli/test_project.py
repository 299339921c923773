"""The project of a command, and a project that cannot be written."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from rich.console import Console

from support.trial import Trial
from tenantry_cli.emulator.bundle import copy_supabase_js
from tenantry_cli.emulator.components import install_components
from tenantry_cli.main import main
from tenantry_cli.project import Project, find_project

# Folders that often lie on different file systems. TMPDIR may lie on any of them.
VOLUMES = ("/dev/shm", "/tmp", "/var/tmp", str(Path.home()), "/run")  # noqa: S108


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A product of one's own: no pyproject.toml, and no migration of its own yet."""
    folder = tmp_path / "supabase" / "migrations"
    folder.mkdir(parents=True)
    (tmp_path / "supabase" / "config.toml").touch()
    (folder / "20200101000000_tenantry_0_1_0.sql").touch()
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


def test_project_is_the_folder_with_the_configuration_of_the_supabase_cli(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = project.root / "app" / "src"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)

    done = CliRunner().invoke(main, ["new", "add_orders"])

    assert done.exit_code == 0, done.output
    assert [file.name[15:] for file in sorted(project.migrations.iterdir())] == [
        "tenantry_0_1_0.sql",
        "add_orders.sql",
    ]


def test_help_of_the_supabase_cli_needs_no_project(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tenantry_cli", "supabase", "db", "push", "--help"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "--include-all" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_folder_outside_every_project_is_refused_and_no_other_project_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = find_project()
    before = sorted(ours.migrations.iterdir())
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)

    for command in (
        ["new", "add_orders"],
        ["up"],
        ["reset"],
        ["status"],
        ["generate"],
        ["init"],
    ):
        done = CliRunner().invoke(main, command)
        assert done.exit_code == 1
        assert f"No project was found: neither {tmp_path} nor" in done.output

    assert sorted(ours.migrations.iterdir()) == before


def test_projects_below_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("apps/shop", "backend", "node_modules/sample"):
        (tmp_path / folder / "supabase").mkdir(parents=True)
        (tmp_path / folder / "supabase" / "config.toml").touch()

    refused = CliRunner().invoke(main, ["init"])

    assert "Change to the folder of your project: apps/shop or backend." in refused.output


@pytest.mark.parametrize(
    ("command", "named"),
    [(["new", "add_orders"], "supabase/migrations"), (["up"], ".tenantry")],
)
def test_read_only_project_is_refused_in_one_sentence(
    project: Project, command: list[str], named: str
) -> None:
    for folder in (project.root, project.root / "supabase", project.migrations):
        folder.chmod(0o555)

    done = _without_privileges(project.root, *command)

    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert str(project.root / named) in done.stderr
    assert "Permission denied" in done.stderr
    assert done.stderr.count("\n") == 1


def test_read_only_cache_is_refused_in_one_sentence(project: Project, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o555)

    done = _without_privileges(project.root, "up", TENANTRY_CACHE_DIR=str(cache))

    assert done.returncode == 1
    assert f"{cache}/" in done.stderr
    assert "name another folder in TENANTRY_CACHE_DIR" in done.stderr
    assert done.stderr.count("\n") == 1


def _without_privileges(
    folder: Path, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Runs the command as a user whom file permissions bind. They do not bind root."""
    powers = "--bounding-set=-dac_override,-dac_read_search"
    bound = ["setpriv", powers] if os.geteuid() == 0 else []
    return subprocess.run(
        [*bound, sys.executable, "-m", "tenantry_cli", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables},
    )


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system than the temporary folders."""
    device = tmp_path.stat().st_dev
    for folder in map(Path, VOLUMES):
        if os.access(folder, os.W_OK) and folder.stat().st_dev != device:
            with tempfile.TemporaryDirectory(dir=folder) as name:
                yield Path(name)
            return
    pytest.skip("there is no second file system")


def test_state_may_lie_on_another_file_system(project: Project, volume: Path) -> None:
    page = project.functions / "tenantry" / "console_page"
    page.mkdir(parents=True)
    (project.root / ".tenantry").symlink_to(volume)
    assert project.state.stat().st_dev != page.stat().st_dev

    copied = copy_supabase_js(install_components(Console(quiet=True)), project)

    assert copied is not None
    assert list(page.iterdir()) == [copied]
    assert b"createClient" in copied.read_bytes()


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("#!/bin/sh\necho 'no shared library' >&2; exit 127\n", "no shared library"),
        ("#!/bin/sh\n", "it printed nothing"),
        ("no program", "Exec format error"),
    ],
)
def test_chosen_postgres_that_fails_is_named(
    trial: Trial, monkeypatch: pytest.MonkeyPatch, program: str, reason: str
) -> None:
    folder = trial.directory / "bin"
    monkeypatch.chdir(trial.directory)
    monkeypatch.setenv("TENANTRY_PG_BIN", str(folder))
    trial.write("supabase/config.toml", f"[api]\nport = {trial.port}\n")
    command = ["up", "--ephemeral"]
    for name in ("initdb", "postgres"):
        refused = CliRunner().invoke(main, command)
        assert f"there is no program {name} in {folder}" in refused.output
        trial.write(f"bin/{name}", program)
        (folder / name).chmod(0o755)

    failed = CliRunner().invoke(main, command)

    assert failed.exit_code == 1
    (sentence,) = failed.stderr.splitlines()
    for part in (f"{folder}/postgres", reason, "TENANTRY_PG_BIN"):
        assert part in sentence
    # The process that ran the emulator lives on.
    ended = CliRunner().invoke(main, ["status", f"--port={trial.port}"])
    assert f"The emulator on port {trial.port} has ended. {folder}/postgres" in ended.stderr


_FAILING_INITDB = """#!/bin/sh
case $1 in
    --version) echo 'postgres (PostgreSQL) 17.1';;
    *) printf '10:00 FATAL:  could not write: No space left on device\\nexit 1\\n' >&2; exit 1;;
esac
"""


def test_initdb_that_fails_is_one_sentence_with_its_first_error(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trial.directory)
    monkeypatch.setenv("TENANTRY_PG_BIN", str(trial.directory / "bin"))
    for name in ("initdb", "postgres"):
        trial.write(f"bin/{name}", _FAILING_INITDB)
        (trial.directory / "bin" / name).chmod(0o755)

    failed = CliRunner().invoke(main, ["up", f"--port={trial.port}"])

    assert failed.exit_code == 1
    (sentence,) = failed.stderr.splitlines()
    assert "(could not write: No space left on device). Check that the disk" in sentence
    assert str(trial.project.state) in sentence


def test_database_that_cannot_be_prepared_is_one_sentence(trial: Trial) -> None:
    assert trial.up_detached().returncode == 0
    with psycopg.connect(trial.connection()["ADMIN_DB_URL"], autocommit=True) as database:
        database.execute("drop function auth.uid() cascade")
        database.execute("create function auth.uid() returns text return 'mine'")
    assert trial.tenantry("down").returncode == 0

    for arguments in ((), ("--detach",)):
        failed = trial.tenantry("up", f"--port={trial.port}", *arguments)

        assert failed.returncode == 1
        (sentence,) = failed.stderr.splitlines()
        assert f"The database in {trial.project.state}/postgres could not be" in sentence
        assert "cannot change return type of existing function" in sentence
        assert "`tenantry reset` empties the database" in sentence
    assert trial.processes() == []
