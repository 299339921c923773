"""The wheel and the source distribution, built and used as by somebody who installs them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from support.deployment import installed
from tenantry import __version__
from tenantry_cli.project import find_project

pytestmark = pytest.mark.long

ROOT = find_project().root
SERVED = """
import functions_framework
group = functions_framework.create_app("audit_log", "main.py", "http").test_client()
print(group.get("/").json["version"])
print(group.get("/robots.txt").json["code"])
"""


def build(folder: Path, destination: Path, *kinds: str) -> None:
    chosen = [argument for kind in kinds for argument in ("-t", kind)]
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", destination, *chosen],
        cwd=folder,
        check=True,
        capture_output=True,
    )


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("distributions")
    build(ROOT, folder, "wheel", "sdist")
    return folder


@pytest.fixture(scope="module")
def wheel(distributions: Path) -> Path:
    (wheel,) = distributions.glob("*.whl")
    return wheel


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return sorted(archive.namelist())


def test_wheel_holds_the_migrations_the_functions_and_the_console(wheel: Path) -> None:
    assert wheel.name == f"tenantry-{__version__}-py3-none-any.whl"
    assert wheel.stat().st_size < 2_000_000
    migrations = [path.name for path in (ROOT / "supabase" / "migrations").glob("*.sql")]
    assert migrations
    assert {
        *(f"tenantry_cli/release/migrations/{name}" for name in migrations),
        "tenantry_cli/release/CHANGELOG.md",
        "tenantry_cli/release/objects.json",
        "tenantry_cli/release/objects.sql",
        "tenantry/entry_points.py",
        "tenantry/catalogue.json",
        "tenantry/console_page/index.html",
        "tenantry_cli/emulator/package-lock.json",
    } <= {*names(wheel)}


def test_wheel_holds_no_copy_of_supabase_js(wheel: Path) -> None:
    """`tenantry bundle` copies it beside the console, where git does not see it."""
    assert [name for name in names(wheel) if "supabase.js" in name] == []


def test_source_distribution_builds_the_same_wheel(
    distributions: Path, wheel: Path, tmp_path: Path
) -> None:
    (source,) = distributions.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        # Python 3.11.3 and older have no filter.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(tmp_path)  # noqa: S202
    (folder,) = tmp_path.iterdir()
    build(folder, tmp_path / "dist", "wheel")
    (rebuilt,) = (tmp_path / "dist").iterdir()
    assert names(rebuilt) == names(wheel)


def test_wheel_works_with_what_the_functions_need_in_another_project(
    wheel: Path, tmp_path: Path
) -> None:
    home = tmp_path / "environment"
    venv.create(home, with_pip=True)
    # What deployed functions need is here already. pip installs whatever else the wheel needs.
    (packages,) = home.glob("lib/*/site-packages")
    (needed,) = installed().parent.glob("lib/*/site-packages")
    (packages / "functions.pth").write_text(f"{needed}\n")
    quiet = ("--quiet", "--no-input", "--disable-pip-version-check")
    subprocess.run([home / "bin" / "pip", "install", *quiet, wheel], check=True)
    project = tmp_path / "project"
    (project / "supabase").mkdir(parents=True)
    (project / "supabase" / "config.toml").write_text('project_id = "shop"\n')

    def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [home / "bin" / program, *arguments],
            cwd=project / ("functions" if program == "python" else "supabase"),
            env={
                "PATH": os.defpath,
                "SUPABASE_URL": "http://127.0.0.1:9",
                "SUPABASE_ANON_KEY": "anon",
                "TENANTRY_ALLOWED_ORIGINS": "*",
                "TENANTRY_UPSTREAM_TIMEOUT_SECONDS": "3",
            },
            check=False,
            capture_output=True,
            text=True,
        )

    assert run("tenantry", "--version").stdout == f"tenantry, version {__version__}\n"
    assert run("tenantry", "init").returncode == 0
    assert run("tenantry", "new", "add_orders").returncode == 0
    written = sorted((project / "supabase" / "migrations").iterdir())
    (release,) = (ROOT / "supabase" / "migrations").glob("*.sql")
    assert [file.name[14:] for file in written] == [release.name[14:], "_add_orders.sql"]
    assert written[0].read_text() == release.read_text()
    assert (project / "functions" / "requirements.txt").read_text() == (
        f"tenantry=={__version__}\n"
    )
    assert "Nothing was changed" in run("tenantry", "upgrade").stdout
    # The emulator's and the operator's packages are an extra.
    listed = run("tenantry", "--help").stdout
    assert re.search("  up +Needs more packages: pip install 'tenantry.local.'\n", listed)
    assert re.search("  init +Put Tenantry into this project", listed)
    for command in (
        ["up", "--demo"],
        *(["doctor"], ["migrate", "--help"], ["uninstall", "--db-url", "x"]),
    ):
        refused = run("tenantry", *command)
        assert refused.returncode == 1
        assert "Install them: pip install 'tenantry[local]'" in refused.stderr
        assert refused.stderr.count("\n") == 1
    # By these files pipx and uv know an environment that they have made for a command.
    for mark, line in (
        ("pipx_metadata.json", "pipx install --force 'tenantry[local]'"),
        ("uv-receipt.toml", "uv tool install 'tenantry[local]'"),
    ):
        (home / mark).touch()
        assert f"Install them: {line}\n" in run("tenantry", "doctor").stderr
        assert f"Needs more packages: {line}\n" in run("tenantry", "--help").stdout
        (home / mark).unlink()
    served = run("python", "-c", SERVED).stdout.splitlines()
    assert [line for line in served if not line.startswith("{")] == [
        __version__,
        "operation_not_found",
    ]
