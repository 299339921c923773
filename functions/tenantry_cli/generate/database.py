"""The throw-away database from which the operations are read."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from rich.console import Console

from tenantry_cli.emulator.components import install_components
from tenantry_cli.emulator.ports import claim_free
from tenantry_cli.emulator.postgres import Postgres
from tenantry_cli.errors import TenantryError
from tenantry_cli.project import Project
from tenantry_cli.sources import source_texts

# All that the signature of an RPC depends on. The files that give the grants follow from the
# RPCs, so they cannot be among these.
_SOURCES = (
    "sql/00_schemas",
    "sql/05_enums/",
    "sql/06_records/",
    "sql/10_tables/",
    "sql/30_rpc/",
)
# Foreign keys refer to this table of Auth.
_AUTH = """
create table auth.users (id uuid primary key);
grant select, references on auth.users to postgres;
"""


@contextmanager
def declared_operations(project: Project) -> Iterator[psycopg.Connection]:
    """A connection to a database that has the types, the tables and the RPCs of `sql/`."""
    components = install_components(Console(stderr=True, quiet=True))
    with tempfile.TemporaryDirectory(prefix="tenantry-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        if os.geteuid() == 0:
            # The server runs as another user, who has to reach its data.
            directory.chmod(0o711)
        ports, claim = claim_free()
        with claim:
            postgres = Postgres(
                components.postgres, directory / "postgres", ports.database, durable=False
            )
            server = postgres.start(directory / "postgres.log", {"LC_ALL": "C.UTF-8"})
            try:
                postgres.bootstrap("current")
                with psycopg.connect(postgres.admin_url()) as connection:
                    connection.execute(_AUTH)
                with psycopg.connect(postgres.url()) as connection:
                    _declare(project, connection)
                    yield connection
            finally:
                server.stop()


def _declare(project: Project, connection: psycopg.Connection) -> None:
    # This database lacks the functions that the RPCs call.
    connection.execute("set check_function_bodies = off")
    for path, text in source_texts(project):
        if path.startswith(_SOURCES):
            try:
                connection.execute(text.encode())
            except psycopg.Error as error:
                raise TenantryError(f"{path} failed: {error}") from None
