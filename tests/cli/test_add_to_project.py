"""README's "Add it to your project", run as it stands, in projects of different shapes.

The package comes from a wheel, and a hosted project is an emulator.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from support.deployment import IMAGE_COMMAND, Deployment, image_variables
from support.own_project import OwnProject
from support.readme import PYTHON_APP, block
from support.waiting import until
from tenantry import __version__
from tenantry_cli.emulator.components import (
    Components,
    component_cache,
    install_components,
)
from tenantry_cli.emulator.ports import claim_free
from tenantry_cli.emulator.stack import Stack
from tenantry_cli.project import Project, find_project

pytestmark = pytest.mark.long

LINES = block("sh", "tenantry demo")
ON_THIS_MACHINE, HOSTED = (
    LINES[: LINES.index("supabase db push")],
    LINES[LINES.index("supabase db push") :],
)
INSTALL = "pip install 'tenantry[local]'"
EMAIL = "ada@example.com"
# From the installation to the row, on a machine that does nothing else.
SECONDS = 180
TIMEOUT_SECONDS = 600
PRINT = "import json; print(json.dumps([profile, rows]))"
# What `tenantry init` adds to a project.
ADDED = [
    ".gitignore",
    "functions/.gitignore",
    "functions/main.py",
    "functions/requirements.txt",
    f"supabase/migrations/tenantry_{__version__.replace('.', '_')}.sql",
    "supabase/tenantry.json",
]


def components() -> Components:
    return install_components(Console(stderr=True, quiet=True))


@dataclass(frozen=True)
class Place:
    """A machine with an empty home, an empty virtual environment and the Supabase CLI."""

    folder: Path
    wheel: Path

    @property
    def programs(self) -> Path:
        return self.folder / "environment" / "bin"

    def run(
        self, lines: str, folder: Path, remote: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Runs lines of the README, with the wheel in place of the package's name."""
        wheel = f"pip install --quiet '{self.wheel}[local]'"
        return subprocess.run(
            ["/bin/sh", "-euc", lines.replace(INSTALL, wheel)],
            cwd=folder,
            env={**self.environment(), "REMOTE": remote},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )

    def environment(self) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if name[:3] == "PIP"},
            "PATH": f"{self.programs}:{self.folder / 'cli'}:{os.defpath}",
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            # The components are here already. The cache of a user lies in the home.
            "TENANTRY_CACHE_DIR": str(component_cache()),
            "PIP_CACHE_DIR": str(self.folder / "pip"),
        }

    def succeed(self, lines: str, folder: Path, remote: str = "") -> str:
        done = self.run(lines, folder, remote)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def outside(self) -> list[str]:
        """The files of the home and of the folder for temporary files."""
        return [
            str(file) for name in ("home", "tmp") for file in (self.folder / name).rglob("*")
        ]

    @contextmanager
    def project(self, name: str) -> Iterator[OwnProject]:
        """A project with an app, whose emulator is stopped at the end."""
        project = OwnProject.create(self.folder / name)
        project.add_app()
        text = (project.root / "supabase" / "config.toml").read_text()
        project.write("supabase/config.toml", text.replace("54321", str(lasting_port())))
        try:
            yield project
        finally:
            self.run("tenantry down", project.root)
            shutil.rmtree(project.root)


def lasting_port() -> int:
    """The first port of a free block, where no other test looks for one. The installation takes
    a minute, and the emulator is started afterwards."""
    ports, claim = claim_free(range(12_000, 19_000, 7))
    claim.close()
    return ports.gateway


@contextmanager
def hosted(project: OwnProject) -> Iterator[Stack]:
    """A project with these migrations, which runs already."""
    with Stack.start(Project(project.root), port=None, ephemeral=True) as stack:
        yield stack


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    # Not tmp_path: as root, PostgreSQL runs as another user, who has to reach the folder.
    folder = Path(tempfile.mkdtemp(prefix="tenantry readme "))
    folder.chmod(0o711)
    try:
        for name in ("home", "tmp", "cli"):
            (folder / name).mkdir(mode=0o711)
        (folder / "tmp").chmod(0o1777)
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-d", folder / "dist", "-t", "wheel"],
            cwd=find_project().root,
            check=True,
            capture_output=True,
        )
        (wheel,) = (folder / "dist").iterdir()
        venv.create(folder / "environment", with_pip=True)
        # The linked project is an emulator. The Supabase CLI has a home of its own.
        program = components().supabase
        cli = folder / "cli" / "supabase"
        cli.write_text(
            "#!/bin/sh\n"
            f"export HOME='{folder / 'cli'}' TMPDIR='{folder / 'cli'}' SUPABASE_YES=1\n"
            'for word; do shift; [ "$word" != --remote ] || word="--remote=$REMOTE"\n'
            'set -- "$@" "$word"; done\n'
            f"exec '{program}' \"$@\"\n"
        )
        cli.chmod(0o755)
        yield Place(folder, wheel)
    finally:
        shutil.rmtree(folder)


def sign_up(api_url: str, anon_key: str) -> dict[str, str]:
    """Ada signs up in the app. Returns the variables of the app."""
    password = secrets.token_urlsafe(16)
    httpx.post(
        f"{api_url}/auth/v1/signup",
        headers={"apikey": anon_key},
        json={"email": EMAIL, "password": password},
    ).raise_for_status()
    return {
        "SUPABASE_URL": api_url,
        "SUPABASE_ANON_KEY": anon_key,
        "email": EMAIL,
        "password": password,
    }


def rows_in_the_app(
    place: Place, api_url: str, service_key: str, variables: dict[str, str]
) -> Any:
    """What the README's app reads in the tenant, after a row was written there."""

    def is_written() -> bool:
        headers = {"apikey": service_key, "Authorization": f"Bearer {service_key}"}
        return httpx.post(
            f"{api_url}/rest/v1/settings",
            headers=headers | {"Content-Profile": "acme"},
            json={"key": "theme", "value": "teal"},
        ).is_success

    # PostgREST has to read its schema cache first.
    until(is_written)
    done = subprocess.run(
        [place.programs / "python", "-c", PYTHON_APP + PRINT],
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    profile, rows = json.loads(done.stdout)
    assert (profile["email"], profile["is_new"]) == (EMAIL, True)
    return rows


def own_answers(api_url: str, anon_key: str) -> list[tuple[int, Any]]:
    """What the tables, views and functions of the project itself answer."""
    headers = {"apikey": anon_key, "Accept-Profile": "public"}
    return [
        (reply.status_code, reply.json())
        for path in ("shops", "shop_names", "rpc/count_shops", "orders")
        for reply in [httpx.get(f"{api_url}/rest/v1/{path}", headers=headers)]
    ]


def console_of(functions_url: str) -> list[tuple[int, bool]]:
    """What the console answers, and whether that is the page and supabase-js."""
    parts = {"/console": "<title>", "/console/supabase.js": "createClient"}
    replies = {path: httpx.get(functions_url + path) for path in parts}
    return [(reply.status_code, parts[path] in reply.text) for path, reply in replies.items()]


CONSOLE = [(200, True), (200, True)]


@contextmanager
def own_functions(place: Place, project: OwnProject) -> Iterator[str]:
    """`tenantry functions` for the emulator of the project, until the end of the block."""
    url = f"http://127.0.0.1:{(port := lasting_port())}/functions/v1"

    def answers() -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(f"{url}/").is_success
        return False

    process = subprocess.Popen(
        [place.programs / "tenantry", "functions", "--port", str(port)],
        cwd=project.root,
        env=place.environment(),
        stdout=subprocess.DEVNULL,
    )
    try:
        until(answers)
        yield url
    finally:
        process.terminate()
        process.wait(TIMEOUT_SECONDS)


SHOP = [
    (200, [{"id": 1, "name": "Main Street"}]),
    (200, [{"name": "Main Street"}]),
    (200, 1),
]


def added(project: OwnProject, before: dict[str, str]) -> list[str]:
    """The files beyond those of before, which are unchanged. Migrations are without version."""
    after = project.files()
    assert before.items() <= after.items()
    return sorted(re.sub(r"/\d{14}_", "/", path) for path in after.keys() - before.keys())


@pytest.mark.soak
def test_lines_lead_from_the_wheel_to_a_row_on_this_machine(
    place: Place, tmp_path: Path, soak: bool
) -> None:
    with place.project("shop") as project:
        project.put_api_first()
        before = project.files()
        started = time.monotonic()

        shown = place.succeed(ON_THIS_MACHINE, project.root)

        assert "The demo is finished." in shown
        status = json.loads(place.succeed("tenantry status --json", project.root))
        given = status["API_URL"], status["ANON_KEY"]
        variables = sign_up(*given) | {"FUNCTIONS_URL": status["FUNCTIONS_URL"]}
        place.succeed(HOSTED, project.root, f"{status['DB_URL']}?sslmode=disable")
        rows = rows_in_the_app(place, given[0], status["SERVICE_ROLE_KEY"], variables)

        assert rows == [{"key": "theme", "value": "teal"}]
        # Other tests have their share of the processors.
        others = max(1, os.getloadavg()[0] / (os.cpu_count() or 1))
        assert (time.monotonic() - started) / others < SECONDS
        assert own_answers(*given)[: len(SHOP)] == SHOP
        assert console_of(status["FUNCTIONS_URL"]) == CONSOLE
        with own_functions(place, project) as functions_url:
            assert console_of(functions_url) == CONSOLE
        place.succeed("tenantry demo --remove", project.root)
        found = place.succeed("tenantry doctor", project.root).splitlines()
        assert found[0] == "No problem was found."
        assert [line.split(" in ")[0] for line in found[1:]] == [
            "PostgREST loads its schema cache"
        ]
        if soak:
            # A usual run proves other projects.
            report = tmp_path / "proof.json"
            place.succeed(f"tenantry prove --json '{report}'", project.root)
            proved = json.loads(report.read_text())
            assert (proved["is_proved"], proved["findings"]) == (True, [])
            assert proved["attempts"] > 500
        place.succeed("tenantry down", project.root)
        assert added(project, before) == sorted(
            [*ADDED, "supabase/migrations/expose_schemas.sql"]
        )
        assert place.outside() == []


def test_lines_lead_to_a_row_in_a_hosted_project_of_a_monorepo(
    place: Place, tmp_path: Path
) -> None:
    with place.project("monorepo/apps/backend") as project, hosted(project) as stack:
        repository = OwnProject(place.folder / "monorepo")
        repository.write("package.json", "{}")
        before, own = repository.files(), own_answers(stack.api_url, stack.anon_key)
        keys = f"--anon-key {stack.anon_key} --service-key {stack.service_role_key}"
        demo = f"tenantry demo --url {stack.api_url} {keys}"
        place.succeed(INSTALL, place.folder)
        assert "has no Tenantry" in place.run(demo, place.folder).stderr
        variables = sign_up(stack.api_url, stack.anon_key)

        local = [line for line in ON_THIS_MACHINE.splitlines() if "tenantry init" in line]
        lines = "\n".join([*local, HOSTED])
        place.succeed(lines, project.root / "app", f"{stack.db_url}?sslmode=disable")

        bundled = place.succeed("tenantry bundle", project.root / "app")
        assert bundled == "functions/console/supabase.js\n"
        # The functions are deployed as the image of the Dockerfile.
        shutil.copytree(project.root / "functions", tmp_path / "image")
        deployment = Deployment(tmp_path / "image", place.programs)
        settings = variables | {
            "TENANTRY_ALLOWED_ORIGINS": "",
            "TENANTRY_UPSTREAM_TIMEOUT_SECONDS": "8",
        }
        with deployment.serve("image", image_variables(settings), *IMAGE_COMMAND) as served:
            variables["FUNCTIONS_URL"] = served.url
            assert console_of(served.url) == CONSOLE
            rows = rows_in_the_app(place, stack.api_url, stack.service_role_key, variables)
            demo += f" --functions-url {served.url}"
            assert "The demo is finished." in place.succeed(demo, place.folder)
        removed = place.succeed(f"{demo} --remove", place.folder)
        assert removed.count("was deleted.") == 5

        assert rows == [{"key": "theme", "value": "teal"}]
        assert own_answers(stack.api_url, stack.anon_key) == own
        assert own[: len(SHOP)] == SHOP
        assert added(repository, before) == sorted(
            f"apps/backend/{path}" for path in [*ADDED, "functions/console/supabase.js"]
        )
        assert place.outside() == []


def test_project_with_a_table_tenants_is_refused_before_anything_is_written(
    place: Place,
) -> None:
    with place.project("taken") as project:
        project.write(
            "supabase/migrations/20250401000000_create_tenants.sql",
            "create table public.tenants (id uuid primary key);",
        )
        before = project.files()

        refused = place.run(ON_THIS_MACHINE, project.root)

        assert refused.returncode == 1
        file = "supabase/migrations/20250401000000_create_tenants.sql"
        assert f"  table public.tenants ({file})\n" in refused.stderr
        assert "Nothing was written." in refused.stderr
        assert project.files() == before
        assert not (project.root / ".tenantry").exists()
        assert place.outside() == []
