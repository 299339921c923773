"""The files that a deploy uploads and installs, started as the cloud starts them.

Google's buildpack installs requirements.txt and runs `functions-framework`, which takes
everything from the variables and serves through gunicorn: one worker, THREADS threads.
"""

from __future__ import annotations

import ast
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import platformdirs
import psutil
import pytest

FUNCTIONS = Path(__file__).parents[2] / "functions"

_GIT = shutil.which("git") or "git"


def _instruction(name: str) -> str:
    """The only instruction of this name in the Dockerfile, on one line."""
    [text] = re.findall(
        rf"^{name} ((?:.*\\\n)*.*)$", (FUNCTIONS / "Dockerfile").read_text(), re.MULTILINE
    )
    return str(text).replace("\\\n", " ")


IMAGE_COMMAND = ("/bin/sh", "-c", _instruction("CMD"))


def image_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables of a container of the image, on a free port of the loopback address."""
    declared = dict(part.split("=") for part in _instruction("ENV").split())
    return {**declared, **variables, "HOST": "127.0.0.1", "PORT": "0"}


def entry_points() -> list[str]:
    """The entry points of all groups, read without importing them."""
    module = FUNCTIONS / "tenantry" / "entry_points.py"
    for statement in ast.parse(module.read_text()).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=names):
                return cast(list[str], ast.literal_eval(names))
    raise AssertionError("There is no list of the entry points.")


@dataclass(frozen=True)
class Served:
    """A target that listens."""

    process: subprocess.Popen[str]
    url: str
    log: Path

    def logged(self) -> list[dict[str, Any]]:
        """Each line of the log. The first one is about the start."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def requests(self) -> list[dict[str, Any]]:
        return [line for line in self.logged() if "request_id" in line]


@dataclass(frozen=True)
class Deployment:
    """The uploaded files, and the programs of a virtual environment with the requirements."""

    source: Path
    programs: Path

    @contextmanager
    def serve(
        self, target: str, variables: Mapping[str, str], *command: str
    ) -> Iterator[Served]:
        """The target as its container runs it, on a free port of the loopback address."""
        log = self.source.with_name(f"{target}-{time.monotonic_ns()}.log")
        with (
            log.open("w") as output,
            self.start(target, variables, output, *command) as process,
        ):
            try:
                yield Served(process, f"http://127.0.0.1:{_port(process)}", log)
            finally:
                _kill(process)

    def start(
        self, target: str, variables: Mapping[str, str], output: IO[str] | int, *command: str
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command or [self.programs / "functions-framework"],
            cwd=self.source,
            env={
                "PATH": f"{self.programs}:{os.defpath}",
                "FUNCTION_TARGET": target,
                # gunicorn keeps a control socket in the home directory.
                "HOME": str(self.source.parent),
                "HOST": "127.0.0.1",
                "PORT": "0",
                **variables,
            },
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
        )


def _kill(process: subprocess.Popen[str]) -> None:
    """Ends the process and its worker, which would otherwise continue to serve."""
    with suppress(psutil.NoSuchProcess):
        for worker in psutil.Process(process.pid).children(recursive=True):
            worker.kill()
    process.kill()


def _port(process: subprocess.Popen[str]) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            _, complaint = process.communicate()
            raise AssertionError(f"It ended with {process.returncode}: {complaint}")
        for connection in psutil.Process(process.pid).net_connections("tcp4"):
            if connection.status == psutil.CONN_LISTEN:
                return connection.laddr.port
        time.sleep(0.02)
    raise AssertionError("It does not listen.")


def uploaded(folder: Path) -> list[str]:
    """The files that `gcloud` would upload: .gcloudignore follows the rules of .gitignore."""
    listing = _git(folder, "ls-files", "--others", "-z", "--exclude-from", ".gcloudignore")
    return sorted(filter(None, listing.split("\0")))


def repository(folder: Path) -> Path:
    """A copy of `functions` as a separate repository, so that git can list its files."""
    shutil.copytree(FUNCTIONS, folder)
    _git(folder, "init", "--quiet")
    return folder


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        [_GIT, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


def upload(folder: Path, destination: Path) -> Path:
    for name in uploaded(folder):
        (destination / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / name, destination / name)
    return destination


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The present code as a deployment in the cloud would run it."""
    folder = tmp_path_factory.mktemp("deployment")
    files = upload(repository(folder / "functions"), folder / "workspace")
    return Deployment(files, installed())


def installed() -> Path:
    """The programs of a virtual environment: made once per user and requirements.txt."""
    requirements = (FUNCTIONS / "requirements.txt").read_bytes()
    version = f"{sys.implementation.cache_tag} {sys.base_prefix}"
    digest = hashlib.sha256(requirements + version.encode()).hexdigest()[:16]
    cache = platformdirs.user_cache_path("tenantry", ensure_exists=True)
    home = cache / f"functions-{digest}"
    ready = home / "ready"
    # The workers of pytest-xdist share this environment. The first one installs the packages.
    with home.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            # Scripts contain the path of their interpreter, so the environment must not move.
            venv.create(home, clear=True, with_pip=True)
            subprocess.run(
                [
                    *(home / "bin" / "pip", "install", "--quiet", "--no-input"),
                    *("--disable-pip-version-check", "-r", FUNCTIONS / "requirements.txt"),
                ],
                check=True,
            )
            ready.touch()
    return home / "bin"
