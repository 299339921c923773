"""The installed release: its migrations, the names that they take, and its CHANGELOG."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tenantry import __version__
from tenantry_cli.errors import TenantryError

Version = tuple[int, ...]

_FILE = re.compile(r"\d{14}_(tenantry_(\d+)_(\d+)_(\d+)(?:_\w+)?)\.sql")
# The baseline creates the reference schema in the body of a function.
_SCHEMA = re.compile(r"^\s*create schema (\w+);", re.MULTILINE)
_PUBLIC = re.compile(r"^create (table|view|type|function) public\.(\w+)", re.MULTILINE)
_TABLE = re.compile(r"^create table public\..*?^\);", re.MULTILINE | re.DOTALL)
_INDEX = re.compile(r"^create (?:unique )?index (\w+) on public\.", re.MULTILINE)
_KEY = re.compile(r"^    constraint (\w+) (?:primary key|unique) ", re.MULTILINE)
_SECTION = re.compile(r"^## \[(\d+\.\d+\.\d+)\].*?(?=^## |^\[|\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class ReleaseMigration:
    # Of the file, without its timestamp and ending: tenantry_0_1_0.
    name: str
    version: Version
    text: str


@dataclass(frozen=True)
class Release:
    version: str
    migrations: tuple[ReleaseMigration, ...]
    changelog: str

    def migrations_since(self, version: str) -> list[ReleaseMigration]:
        return [
            migration
            for migration in self.migrations
            if migration.version > parse_version(version)
        ]

    def changes_since(self, version: str) -> list[str]:
        """The sections of the CHANGELOG after that release, newest first."""
        return [
            section[0].strip()
            for section in _SECTION.finditer(self.changelog)
            if parse_version(version) < parse_version(section[1]) <= parse_version(self.version)
        ]


def installed_release() -> Release:
    package = Path(__file__).parent
    # A wheel has both in this folder. A clone, installed with `pip install -e`, has its own.
    files, changelog = package / "release" / "migrations", package / "release" / "CHANGELOG.md"
    if not files.is_dir():
        clone = package.parents[1]
        files, changelog = clone / "supabase" / "migrations", clone / "CHANGELOG.md"
    migrations = [
        ReleaseMigration(found[1], tuple(map(int, found.groups()[1:])), file.read_text())
        for file in sorted(files.glob("*.sql"))
        if (found := _FILE.fullmatch(file.name))
    ]
    if not migrations:
        raise TenantryError(
            f"The installed tenantry {__version__} has no migrations in {files}. Install it "
            "again."
        )
    return Release(__version__, tuple(migrations), changelog.read_text())


def parse_version(version: str) -> Version:
    try:
        return tuple(map(int, version.split(".")))
    except ValueError:
        raise TenantryError(f'"{version}" is not a release, such as {__version__}.') from None


def schemas_of(migrations: Iterable[ReleaseMigration]) -> set[str]:
    """The schemas that the migrations create."""
    return {name for migration in migrations for name in _SCHEMA.findall(migration.text)}


def public_names(migrations: Iterable[ReleaseMigration]) -> dict[str, str]:
    """What the migrations create in `public`: the kind of each object by its name."""
    return {
        name: kind for migration in migrations for kind, name in named_in_public(migration.text)
    }


def named_in_public(text: str) -> Iterator[tuple[str, str]]:
    """The kind and the name of what SQL of a release creates in `public`."""
    for kind, name in _PUBLIC.findall(text):
        yield kind, name
    for name in _INDEX.findall(text):
        yield "index", name
    for table in _TABLE.findall(text):
        for name in _KEY.findall(table):
            yield "index", name
