"""`supabase/migrations`: the names of its files, and the releases among them."""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tenantry_cli.errors import TenantryError
from tenantry_cli.project import Project

# A file name has at most 255 bytes, with the version and the ending.
_NAME = re.compile(r"[a-z][a-z0-9_]{0,199}")
# The file of a release.
_RELEASE = re.compile(r"\d+_tenantry_\d+_\d+_\d+(?:_\w+)?\.sql")
# The name of the file that takes Tenantry out of a database.
REMOVAL = "remove_tenantry"
_VERSION = "%Y%m%d%H%M%S"
# The Supabase CLI skips every other file.
_MIGRATION = re.compile(r"\d+_.*\.sql")


def migrations_in(folder: Path) -> list[Path]:
    """The files that the Supabase CLI applies, in their order."""
    return sorted(file for file in folder.glob("*.sql") if _MIGRATION.fullmatch(file.name))


def text_of(file: Path) -> str:
    """The SQL of a file. Some editors write a byte order mark, which is no part of it."""
    return file.read_text(encoding="utf-8-sig", errors="replace")


def require_migration_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise TenantryError(
            f'"{name}" is not a valid name for a migration: use up to 200 lower-case letters, '
            "digits and underscores, a letter first, such as create_invoices."
        )


def next_migration_version(project: Project, *others: str) -> str:
    """A version later than every existing migration and the others, usually the time in UTC."""
    version = datetime.now(UTC).strftime(_VERSION)
    files = (file.name.split("_")[0] for file in migrations_in(project.migrations))
    versions = (*files, *others)
    latest = max((known for known in versions if len(known) == len(version)), default="")
    if latest < version:
        return version
    try:
        return (datetime.strptime(latest, _VERSION) + timedelta(seconds=1)).strftime(_VERSION)
    except (ValueError, OverflowError):
        raise TenantryError(
            f"The migration {latest}_… is later than every possible time: rename its file."
        ) from None


def files_since_removal(project: Project) -> list[Path]:
    """The files behind the last removal of Tenantry, in their order."""
    files = sorted(project.migrations.glob("*.sql"))
    removals = [file.name for file in files if file.stem.partition("_")[2] == REMOVAL]
    return [file for file in files if file.name > max(removals, default="")]


def has_tenantry(project: Project) -> bool:
    """Whether the migrations make Tenantry, and none removes it later."""
    return any(_RELEASE.fullmatch(file.name) for file in files_since_removal(project))


def require_tenantry(project: Project) -> None:
    """Refuses a project without Tenantry's own migrations."""
    if not has_tenantry(project):
        raise TenantryError(
            f"{project.root} has no migration of Tenantry's in supabase/migrations. Run "
            "`tenantry init` first."
        )


def released_checksums(project: Project) -> dict[str, str]:
    """The SHA-256 of each released migration by its file name, as `sha256sum` writes them."""
    file = project.migrations.parent / "released.sha256"
    lines = file.read_text().splitlines() if file.exists() else []
    pairs = (line.split() for line in lines if line and not line.startswith("#"))
    return {name.removeprefix("*"): digest for digest, name in pairs}


def changed_releases(project: Project) -> list[str]:
    """The released migrations that are missing or are not what was released."""
    return [
        name
        for name, released in released_checksums(project).items()
        if not (file := project.migrations / name).exists() or checksum(file) != released
    ]


def checksum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
