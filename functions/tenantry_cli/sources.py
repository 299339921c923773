"""The files of `sql/`, which define the present database, one object per file."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psycopg

from tenantry_cli.errors import TenantryError
from tenantry_cli.project import Project


def _source_files(project: Project) -> list[Path]:
    """The files of `sql/` in the order of their paths, in which they are applied."""
    directory = project.root / "sql"
    files = sorted(directory.rglob("*.sql"), key=os.fsencode)
    if not files:
        raise TenantryError(f"There is no SQL in {directory}.")
    return files


def source_texts(project: Project) -> Iterator[tuple[str, str]]:
    """The path of each file below the project's root, with its text."""
    for file in _source_files(project):
        yield file.relative_to(project.root).as_posix(), file.read_text()


def build_database(project: Project, database_url: str) -> None:
    """Applies `sql/` to the database of an empty project, in one transaction."""
    with psycopg.connect(database_url) as session:
        apply_sources(session, source_texts(project))


def apply_sources(session: psycopg.Connection[Any], texts: Iterable[tuple[str, str]]) -> None:
    """Executes files, given as paths with their texts. A failure names the file."""
    # A function may call another one that a later file creates, or that is not among these.
    session.execute("set check_function_bodies = off")
    for path, text in texts:
        try:
            session.execute(text.encode())
        except psycopg.Error as error:
            raise TenantryError(f"{path} failed: {error}") from None
