"""The files of `sql/`, which define the present database, one object per file."""

import os
from collections.abc import Iterator
from pathlib import Path

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
    with psycopg.connect(database_url) as connection:
        # A function may call another one that a later file creates.
        connection.execute("set check_function_bodies = off")
        for path, text in source_texts(project):
            try:
                connection.execute(text.encode())
            except psycopg.Error as error:
                raise TenantryError(f"{path} failed: {error}") from None
