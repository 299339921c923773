"""`tenantry diff`: what a database has beyond the project's migrations, without its tenants."""

from pathlib import Path

import click
import psycopg
from rich.console import Console

from tenantry_cli.emulator.cli_command import server_of
from tenantry_cli.emulator.components import Components, install_components
from tenantry_cli.emulator.postgres import Postgres
from tenantry_cli.emulator.rehearsal import rehearsed
from tenantry_cli.emulator.state import running
from tenantry_cli.emulator.supabase_cli import difference
from tenantry_cli.errors import TenantryError
from tenantry_cli.migration_files import next_migration_version, require_migration_name
from tenantry_cli.project import find_project

# The schemas of the platform, and Tenantry's own.
_OTHERS = [
    *("auth", "cron", "extensions", "graphql", "graphql_public", "information_schema", "net"),
    *("pgbouncer", "pgmq", "pgsodium", "pgsodium_masks", "realtime", "storage"),
    *("supabase_functions", "supabase_migrations", "tenancy", "tenant_template", "vault"),
]


@click.command()
@click.option("--db-url", help="Another database than the running emulator's.")
@click.option("--file", "-f", "name", help="Write a migration of this name. Otherwise: print.")
@click.option("--port", type=int, help="The port of the gateway, if several emulators run.")
def diff(db_url: str | None, name: str | None, port: int | None) -> None:
    """Show what a database has beyond the migrations and tenants.

    The migrations are applied to a database of its own in the running emulator, which is
    compared with the emulator's database in the schemas of the project.
    """
    project = find_project()
    if name is not None:
        require_migration_name(name)
    state = running(project, port)
    components = install_components(Console(quiet=True))
    postgres = server_of(project, components, state)
    found = beyond_migrations(
        components, postgres, project.root, db_url or state.connection["DB_URL"]
    )
    if not found:
        click.echo("The database has nothing beyond the migrations.", err=True)
    elif name is None:
        click.echo(found)
    else:
        file = project.migrations / f"{next_migration_version(project)}_{name}.sql"
        file.write_text(found)
        version = file.name.split("_")[0]
        remote = " --remote=<database URL>" if db_url else ""
        click.echo(
            f"Wrote {file.relative_to(project.root)}. The database has its objects already, so "
            "a push would fail there. Mark it as applied: "
            f"`tenantry supabase migration repair --status applied {version}{remote}`"
        )


def beyond_migrations(components: Components, postgres: Postgres, root: Path, url: str) -> str:
    """The statements that the migrations lack, in the schemas that are no tenant's."""
    with rehearsed(postgres, root, seeds=False) as (from_url, rehearsal):
        if rehearsal.failure:
            raise TenantryError(f"A migration fails: {rehearsal.failure}")
        urls = (from_url, url)
        schemas = {schema for each in urls for schema in _schemas(each)}
        # A schema that the migrations made may have been adopted in the other database.
        tenants = {schema for each in urls for schema in _tenants(each)}
        return difference(components, from_url, url, sorted(schemas - tenants)).strip()


def _schemas(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "select nspname from pg_namespace where nspname !~ '^pg_' and nspname <> all (%s)",
            [_OTHERS],
        ).fetchall()
    return [schema for (schema,) in found]


def _tenants(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        if connection.execute("select to_regclass('public.tenants')").fetchone() == (None,):
            return []
        found = connection.execute("select schema_name from public.tenants").fetchall()
    return [schema for (schema,) in found]
