"""The folders of the project, and the folder with the state of the emulator."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tenantry_cli.configuration import Configuration
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
    def configuration(self) -> Configuration:
        return Configuration.read(self.root / "supabase" / "config.toml")

    @property
    def state(self) -> Path:
        """The folder `.tenantry/`, which is created if it is missing."""
        state = self.root / ".tenantry"
        if not state.is_dir():
            try:
                state.mkdir(exist_ok=True)
                # As root, PostgreSQL runs as another user, who has to reach its data in this
                # folder. Each secret file in this folder has its own permissions.
                state.chmod(0o711 if os.geteuid() == 0 else 0o700)
                # The keys do not belong into the history of the project.
                (state / ".gitignore").write_text("*\n")
            except OSError as error:
                raise TenantryError(
                    f"The folder {state} cannot be created ({error.strerror}). The emulator "
                    "keeps its keys and its database there: make the project writable, or "
                    "create the folder as a link to a writable one."
                ) from error
        return state

    @property
    def database_of_root(self) -> Path:
        """The folder with the database, if root started the emulator and the server's user
        cannot reach `.tenantry/`."""
        digest = hashlib.sha256(str(self.root).encode()).hexdigest()[:16]
        return Path("/var/lib/tenantry") / digest


def find_project() -> Project:
    """The project that contains the working directory, as the Supabase CLI finds it."""
    working = Path.cwd()
    for directory in (working, *working.parents):
        if (directory / "supabase" / "config.toml").is_file():
            return Project(directory)
    below = sorted(_below(working))
    raise TenantryError(
        f"No project was found: neither {working} nor a folder above it has a "
        "supabase/config.toml. "
        + (
            f"Change to the folder of your project: {' or '.join(below)}."
            if below
            else "Change to the folder of your project; `supabase init` makes the file in a "
            "new one."
        )
    )


def _below(working: Path) -> Iterator[str]:
    """The projects up to two folders down, as in a monorepo."""
    for pattern in ("*", "*/*"):
        for file in working.glob(f"{pattern}/supabase/config.toml"):
            folder = file.parents[1].relative_to(working)
            if "node_modules" not in folder.parts:
                yield folder.as_posix()
