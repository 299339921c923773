"""Where the project is, and where the emulator keeps its state."""

import os
from dataclasses import dataclass
from pathlib import Path

from tenantry_cli.errors import TenantryError


@dataclass(frozen=True)
class Project:
    root: Path

    @property
    def functions(self) -> Path:
        return self.root / "functions"

    @property
    def migrations(self) -> Path:
        return self.root / "supabase" / "migrations"

    @property
    def state(self) -> Path:
        """`.tenantry/`, made when it is first asked for."""
        state = self.root / ".tenantry"
        if not state.is_dir():
            state.mkdir(exist_ok=True)
            # Root's PostgreSQL runs as another user, who has to pass through here to its
            # data; whatever is secret in here is closed file by file.
            state.chmod(0o711 if os.geteuid() == 0 else 0o700)
        return state


def find_project() -> Project:
    """The project around the working directory, else the one this package belongs to."""
    working = Path.cwd()
    for directory in (working, *working.parents, Path(__file__).resolve().parents[2]):
        if (directory / "pyproject.toml").is_file() and Project(directory).migrations.is_dir():
            return Project(directory)
    raise TenantryError(
        f"No project found: neither {working} nor a directory above it has a pyproject.toml "
        "beside supabase/migrations."
    )
