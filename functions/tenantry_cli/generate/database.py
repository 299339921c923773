"""The throw-away database from which the operations and all objects are read."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from rich.console import Console

from tenantry_cli.emulator.components import install_components
from tenantry_cli.emulator.ports import claim_free
from tenantry_cli.emulator.postgres import DefaultPrivileges, Postgres

# What foreign keys, a view and the trial of the template need of Auth.
_AUTH = """
create table auth.users (
    id uuid primary key, email text, deleted_at timestamptz, banned_until timestamptz
);
grant select, references on auth.users to postgres;
create function auth.uid() returns uuid stable language sql return null::uuid;
"""


@contextmanager
def empty_database(default_privileges: DefaultPrivileges = "current") -> Iterator[str]:
    """The URL of a database of an empty project."""
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
                postgres.bootstrap(default_privileges)
                with psycopg.connect(postgres.admin_url()) as connection:
                    connection.execute(_AUTH)
                yield postgres.url()
            finally:
                server.stop()
