"""A run: its temporary names, and the sign by which a later run knows that it is over."""

from __future__ import annotations

import hashlib
import platform
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

# Nobody can see a process of another machine. No run takes that long.
_LONGEST = timedelta(hours=2)
_TENANT = re.compile("proof_([0-9a-f]{8})_[abs]")
_SIGN = re.compile(
    r"(?P<run>[0-9a-f]{8})-[ABS]-registry"
    r" \(tenantry prove, process (?P<pid>\d+) since (?P<started>\d+) on (?P<machine>\w{8})\)"
)


@dataclass(frozen=True)
class Run:
    id: str = field(default_factory=lambda: secrets.token_hex(4))

    def tenant(self, letter: str) -> str:
        return f"proof_{self.id}_{letter.lower()}"

    @property
    def domain(self) -> str:
        """The domain by which users join tenants."""
        return f"proof-{self.id}.example"

    def email(self, account: int | str, domain: str = "example.com") -> str:
        return f"proof-{self.id}-{account}@{domain}"

    def permission(self, verb: str) -> str:
        return f"proof_{self.id}.{verb}"

    @property
    def emails(self) -> str:
        """A pattern of all addresses, for Python and for SQL."""
        return f"^proof-{self.id}-[0-9a-z]+@[a-z0-9.-]+$"

    def signed(self, marker: str) -> str:
        """The display name of a tenant, which says to whom the tenant belongs."""
        process = psutil.Process()
        return (
            f"{marker} (tenantry prove, process {process.pid} since "
            f"{int(process.create_time())} on {_machine()})"
        )


def run_that_is_over(tenant: Mapping[str, Any]) -> Run | None:
    """The run that made the tenant of this registry row, if it is a run that was killed."""
    named = _TENANT.fullmatch(tenant["schema_name"])
    sign = _SIGN.fullmatch(tenant["display_name"])
    if named is None or sign is None or named[1] != sign["run"]:
        return None
    if sign["machine"] == _machine():
        is_over = not _is_alive(int(sign["pid"]), int(sign["started"]))
    else:
        age = datetime.now(UTC) - datetime.fromisoformat(tenant["created_at"])
        is_over = age > _LONGEST
    return Run(sign["run"]) if is_over else None


def _is_alive(pid: int, started: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return (
            abs(process.create_time() - started) < 2
            and process.status() != psutil.STATUS_ZOMBIE
        )
    return False


def _machine() -> str:
    """This machine since its start, and in a container only the container."""
    parts = [platform.node()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
