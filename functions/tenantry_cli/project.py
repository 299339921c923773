"""The folders of the project, and the folder with the state of the emulator."""

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
        """The folder `.tenantry/`, which is created if it is missing."""
        state = self.root / ".tenantry"
        if not state.is_dir():
            state.mkdir(exist_ok=True)
            # As root, PostgreSQL runs as another user, who has to reach its data in this
            # folder. Each secret file in this folder has its own permissions.
            state.chmod(0o711 if os.geteuid() == 0 else 0o700)
        return state


def find_project() -> Project:
    """The project that contains the working directory, else the project of this package."""
    working = Path.cwd()
    for directory in (working, *working.parents, Path(__file__).resolve().parents[2]):
        if (directory / "pyproject.toml").is_file() and Project(directory).migrations.is_dir():
            return Project(directory)
    raise TenantryError(
        f"No project was found. Neither {working} nor a directory above it has a "
        "pyproject.toml and supabase/migrations. Change to the directory of a project."
    )
