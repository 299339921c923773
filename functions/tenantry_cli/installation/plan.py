"""What a command found in a project and what it will write there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tenantry_cli.emulator.paths import DEFAULT_FUNCTIONS
from tenantry_cli.errors import TenantryError
from tenantry_cli.installation.manifest import Manifest, digest, read, remove_draft, write
from tenantry_cli.installation.own_objects import OwnObject, own_objects
from tenantry_cli.migration_files import (
    files_since_removal,
    migrations_in,
    next_migration_version,
)
from tenantry_cli.project import Project
from tenantry_cli.release import Release, ReleaseMigration, public_names, schemas_of

if TYPE_CHECKING:
    from tenantry_cli.installation.live import Live

MAIN = "functions/main.py"
REQUIREMENTS = "functions/requirements.txt"
# The folder of the emulator.
STATE = ".tenantry"
IGNORED = f"{STATE}/"
# The cache that Python writes beside main.py.
_FUNCTIONS_IGNORED = ("functions/.gitignore", "__pycache__/\n")
_PIN = re.compile(r"^(tenantry(?:\[[^\]\n]*\])?)[ \t]*==[ \t]*[\w.]+", re.MULTILINE)


@dataclass
class Plan:
    project: Project
    manifest: Manifest
    facts: list[str] = field(default_factory=list)
    # The text of each file that is written, by path. The manifest comes last.
    writes: dict[str, str] = field(default_factory=dict)
    # What the person has to do.
    notes: list[str] = field(default_factory=list)

    def put(self, path: str, text: str) -> bool:
        """Plans a file of ours. False if there is one of the project's own."""
        file = self.project.root / path
        if not file.exists() or self.manifest.is_unchanged(self.project, path):
            if not file.exists() or read(file) != text:
                self.writes[path] = text
        elif read(file) != text:
            return False
        self.manifest.files[path] = digest(text)
        return True

    def put_migration(self, name: str, text: str, *others: str) -> None:
        """Plans a migration behind all others, unless an interrupted run has written it."""
        for file in placed(self.project, name):
            if read(file) == text:
                path = file.relative_to(self.project.root).as_posix()
                self.manifest.files[path] = digest(text)
                return
        planned = (Path(path).name.split("_")[0] for path in self.writes)
        version = next_migration_version(self.project, *others, *planned)
        migrations = self.project.migrations.relative_to(self.project.root).as_posix()
        self.put(f"{migrations}/{version}_{name}.sql", text)

    def put_functions(self, release: Release) -> None:
        main = DEFAULT_FUNCTIONS.read_text()
        if not self.put(MAIN, main):
            present = read(self.project.root / MAIN)
            missing = [line for line in main.splitlines() if line not in present]
            if missing:
                self.notes.append(f"{MAIN} is yours. Add to it:\n    " + "\n    ".join(missing))
        pin = f"tenantry=={release.version}"
        if not self.put(REQUIREMENTS, f"{pin}\n"):
            present = read(self.project.root / REQUIREMENTS)
            if not _PIN.search(present):
                self.notes.append(f"{REQUIREMENTS} is yours. Add to it:\n    {pin}")
            elif (pinned := _PIN.sub(rf"\1=={release.version}", present)) != present:
                self.writes[REQUIREMENTS] = pinned

    def put_ignored(self) -> None:
        self.put(*_FUNCTIONS_IGNORED)
        file = self.project.root / ".gitignore"
        present = read(file) if file.exists() else ""
        lines = {line.strip() for line in present.splitlines()}
        if IGNORED not in lines and IGNORED.strip("/") in {line.strip("/") for line in lines}:
            return
        if IGNORED not in lines:
            separator = "\n" if present and not present.endswith("\n") else ""
            self.writes[".gitignore"] = f"{present}{separator}{IGNORED}\n"
        # Also if it is there: an interrupted run has written it.
        self.manifest.lines[".gitignore"] = IGNORED

    def show(self) -> None:
        click.echo(f"Project {self.project.root}")
        for fact in self.facts:
            click.echo(f"  {fact}")
        click.echo("Writes:")
        for path in (*self.writes, "supabase/tenantry.json"):
            click.echo(f"  {path}")
        for note in self.notes:
            click.echo(note)

    def carry_out(self) -> None:
        """Each file is written whole. The manifest, last, says that nothing is missing."""
        for path, text in self.writes.items():
            write(self.project.root / path, text)
        write(Manifest.path(self.project), self.manifest.text())
        for path in (*self.manifest.files, *self.manifest.lines):
            remove_draft(self.project.root / path)


def require_own_project(project: Project) -> None:
    if (project.functions / "tenantry_cli").is_dir():
        raise TenantryError(
            f"{project.root} is a clone of Tenantry itself. Change to the folder of your "
            "project, which has a supabase/config.toml of its own."
        )


def placed(project: Project, name: str) -> list[Path]:
    """The files of that name since the last removal of Tenantry."""
    return [
        file for file in files_since_removal(project) if file.stem.partition("_")[2] == name
    ]


def placed_migrations(project: Project, release: Release) -> set[Path]:
    """The files of releases that are in the project. Refuses one that was changed."""
    found = set()
    for migration in release.migrations:
        for file in placed(project, migration.name):
            if read(file) != migration.text:
                raise TenantryError(
                    f"{file.relative_to(project.root)} is not the migration of that name of "
                    f"the installed release {release.version}. If it was pushed, restore its "
                    "text; otherwise remove the file. Then run the command again."
                )
            found.add(file)
    return found


def clashes(
    project: Project,
    migrations: Iterable[ReleaseMigration],
    known: Iterable[ReleaseMigration],
    ours: set[Path],
    database: Live | None,
) -> list[str]:
    """The project's own objects that have a name which the migrations need."""
    migrations, known = list(migrations), list(known)
    names = public_names(migrations).keys() - public_names(known)
    schemas = schemas_of(migrations) - schemas_of(known)

    def taken(objects: Iterable[OwnObject]) -> list[OwnObject]:
        return [
            own
            for own in objects
            if (own.name in schemas if own.kind == "schema" else own.name in names)
            and own.schema in ("public", "")
        ]

    found = taken(own_objects(project.root, own_migrations(project, ours)))
    names_of_files = {migration.name for migration in migrations}
    versions = {
        file.name.split("_")[0]
        for file in ours
        if file.stem.partition("_")[2] in names_of_files
    }
    # After a push the objects in the database are ours.
    if database is not None and not versions & database.applied_versions():
        named = {own.name for own in found}
        found += [own for own in taken(database.objects()) if own.name not in named]
    return sorted(own.title for own in found)


def own_migrations(project: Project, ours: set[Path]) -> list[Path]:
    """The files that the Supabase CLI applies. It leaves out those without a version."""
    return [file for file in migrations_in(project.migrations) if file not in ours]


def way_out(database: Live | None) -> str:
    """What to do about clashes. Tenantry's own file will stand behind that migration."""
    pushed = "" if database is None else ", push it"
    return f"Rename yours in a new migration{pushed}"


def looked_into(database: Live | None) -> list[str]:
    """The database whose objects and history count, as a fact of a plan."""
    if database is None:
        return []
    which = "running emulator" if database.is_emulator else "database that was given"
    return [f"looked into the {which}"]


@contextmanager
def opened(project: Project, db_url: str | None) -> Iterator[Live | None]:
    """The database that is given, else that of the emulator of the project, if one runs.

    Only then psycopg is needed.
    """
    url = db_url or _emulator_database(project)
    if url is None:
        yield None
        return
    from tenantry_cli.installation.live import live

    with live(url, is_emulator=not db_url) as database:
        yield database


def _emulator_database(project: Project) -> str | None:
    if not (project.root / STATE).is_dir():
        return None
    # The base installation has no emulator. Nothing here depends on it.
    with suppress(ModuleNotFoundError, TenantryError):
        from tenantry_cli.emulator.state import running

        return running(project).connection["DB_URL"]
    return None
