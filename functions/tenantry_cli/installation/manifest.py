"""`supabase/tenantry.json`: the release in a project, and the files that a command wrote."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tenantry_cli.errors import TenantryError
from tenantry_cli.project import Project

# The next run of a command removes what an interrupted one has left under this name.
_DRAFT = ".tenantry-draft"
# A file of the project may have bytes that are no text. They are written back as they are.
_ERRORS = "surrogateescape"


@dataclass
class Manifest:
    release: str
    # SHA-256 by path.
    files: dict[str, str] = field(default_factory=dict)
    # A line in a file of the project, by path.
    lines: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def path(project: Project) -> Path:
        return project.root / "supabase" / "tenantry.json"

    @classmethod
    def read(cls, project: Project) -> Self | None:
        file = cls.path(project)
        if not file.exists():
            return None
        try:
            return cls(**json.loads(file.read_text()))
        except (TypeError, ValueError):
            raise TenantryError(
                f"{file} is damaged: take it from your version control again."
            ) from None

    @classmethod
    def require(cls, project: Project) -> Self:
        manifest = cls.read(project)
        if manifest is None:
            raise TenantryError(
                f"{project.root} has no supabase/tenantry.json, so `tenantry init` was not run "
                "here. Nothing was changed."
            )
        return manifest

    def text(self) -> str:
        return json.dumps(vars(self), indent=2) + "\n"

    def is_unchanged(self, project: Project, path: str) -> bool:
        """Whether the file is as a command wrote it."""
        file = project.root / path
        return file.is_file() and digest(read(file)) == self.files.get(path)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors=_ERRORS)).hexdigest()


def read(file: Path) -> str:
    return file.read_text(errors=_ERRORS)


def write(file: Path, text: str) -> None:
    """Writes all of the file or nothing: a rename is atomic. Its line breaks stay."""
    file.parent.mkdir(parents=True, exist_ok=True)
    target = file.resolve()
    draft = target.with_name(_DRAFT)
    is_of_windows = target.exists() and b"\r\n" in target.read_bytes()
    draft.write_text(text, errors=_ERRORS, newline="\r\n" if is_of_windows else None)
    draft.replace(target)


def remove_draft(file: Path) -> None:
    """Removes the part of a file that an interrupted run has left in the folder of the file."""
    file.with_name(_DRAFT).unlink(missing_ok=True)
