"""`tenantry migration`: from the database as `sql/` tells it to a step of its history."""

import os
import re
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import psycopg
from rich.console import Console

from tenantry_cli.emulator.parts import Parts
from tenantry_cli.emulator.stack import Stack
from tenantry_cli.errors import TenantryError
from tenantry_cli.project import Project, find_project

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_VERSION = "%Y%m%d%H%M%S"

_UNSEEN = """\
Read it: `supabase db diff` does not see
  - data: a change of the tenant template is a row, so register it as a tenant migration
  - settings of roles, such as the Data API's in 95_data_api.sql
  - anything in auth, or in the objects of extensions
Add what is missing and run this again: the draft counts once there is no difference."""
_REFERENCE = """\
It alters tenant_template, which only a tenant migration may do: replace those statements by
select tenancy.register_tenant_migration(…), as sql/25_tenant_template has it."""


@click.group()
def migration() -> None:
    """Write the history that `supabase db push` applies."""


@migration.command()
@click.argument("name")
def draft(name: str) -> None:
    """Draft the migration that takes the database from supabase/migrations to sql/.

    NAME says what it does, verb first: create_invoices.
    """
    if not _NAME.fullmatch(name):
        raise TenantryError(
            f'"{name}" is no name for a migration: it takes lower-case letters, digits and '
            "underscores, a letter first, such as create_invoices."
        )
    project = find_project()
    with Stack.start(
        project, port=None, ephemeral=True, console=Console(stderr=True, highlight=False)
    ) as stack:
        present = stack.postgres.create_database("tenantry_present")
        build_present(project, present)
        statements = difference(stack.parts, stack.db_url, present)
    if not statements:
        click.echo("There is no difference: supabase/migrations leads to what sql/ tells.")
        return
    path = project.migrations / f"{_next_version(project)}_{name}.sql"
    path.write_text(statements)
    click.echo(f"Wrote {path.relative_to(project.root)}, a draft.")
    click.echo(_UNSEEN)
    if "tenant_template" in statements:
        click.echo(_REFERENCE)


def build_present(project: Project, database_url: str) -> None:
    """Makes in an empty project's database what `sql/` tells, in the order of its paths."""
    directory = project.root / "sql"
    files = sorted(directory.rglob("*.sql"), key=lambda file: os.fsencode(file))
    if not files:
        raise TenantryError(f"There is no SQL in {directory}.")
    with psycopg.connect(database_url) as connection:
        # A function may call another whose file comes later.
        connection.execute("set check_function_bodies = off")
        for file in files:
            try:
                connection.execute(file.read_bytes())
            except psycopg.Error as error:
                raise TenantryError(
                    f"{file.relative_to(project.root)} failed: {error}"
                ) from None


def difference(parts: Parts, from_url: str, to_url: str) -> str:
    """The statements that the Supabase CLI finds between two databases; empty for none."""
    with tempfile.TemporaryDirectory(prefix="tenantry-") as scratch:
        output = Path(scratch, "difference.sql")
        done = subprocess.run(
            [
                *(parts.supabase, "db", "diff", "--agent", "no", "--output", output),
                *("--from", f"{from_url}?sslmode=disable"),
                *("--to", f"{to_url}?sslmode=disable"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=scratch,
            env=quiet_environment(scratch),
        )
        # What it prints is mostly notices; the file alone tells whether there is a difference.
        if done.returncode or not output.exists():
            raise TenantryError(f"The databases could not be compared:\n{done.stdout}")
        return output.read_text()


def quiet_environment(home: str) -> dict[str, str]:
    """For a Supabase CLI that keeps its things in `home` and reports to nobody."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": home,
        "LC_ALL": "C.UTF-8",
        "DO_NOT_TRACK": "1",
        "SUPABASE_TELEMETRY_DISABLED": "1",
        "SUPABASE_NO_UPDATE_NOTIFIER": "1",
        "SUPABASE_HOME": home,
    }


def _next_version(project: Project) -> str:
    """Now, unless a migration is from later than that: what comes last is applied last."""
    version = datetime.now(UTC).strftime(_VERSION)
    versions = [file.name.split("_")[0] for file in project.migrations.glob("*_*.sql")]
    latest = max((known for known in versions if len(known) == len(version)), default="")
    if latest < version:
        return version
    return (datetime.strptime(latest, _VERSION) + timedelta(seconds=1)).strftime(_VERSION)
