"""`tenantry draft`: the migration from the last release to the database of `sql/`."""

import click
from rich.console import Console

from tenantry_cli.emulator.stack import Stack
from tenantry_cli.emulator.supabase_cli import difference
from tenantry_cli.migration_files import next_migration_version, require_migration_name
from tenantry_cli.project import find_project
from tenantry_cli.sources import build_database

_NOT_COMPARED = """\
Read it: `supabase db diff` does not compare
  - data: a change of the tenant template is a row, so register it as a tenant migration
  - settings of roles, such as the Data API's in 95_data_api.sql
  - anything in auth, or in the objects of extensions
Add what is missing and run this again: the draft is complete when there is no difference."""
_REFERENCE = """\
It alters tenant_template, which only a tenant migration may do: replace those statements by
select tenancy.register_tenant_migration(…), as sql/25_tenant_template has it."""


@click.command()
@click.argument("name")
def draft(name: str) -> None:
    """Draft the migration from supabase/migrations to sql/.

    For the development of Tenantry itself, after a release. NAME is the name of the file:
    tenantry_0_1_1.
    """
    require_migration_name(name)
    project = find_project()
    with Stack.start(
        project, port=None, ephemeral=True, console=Console(stderr=True, highlight=False)
    ) as stack:
        present = stack.postgres.create_database("tenantry_present")
        build_database(project, present)
        statements = difference(stack.components, stack.db_url, present)
    if not statements:
        click.echo(
            "There is no difference: supabase/migrations and sql/ make the same database."
        )
        return
    path = project.migrations / f"{next_migration_version(project)}_{name}.sql"
    path.write_text(statements)
    click.echo(f"Wrote {path.relative_to(project.root)}, a draft.")
    click.echo(_NOT_COMPARED)
    if "tenant_template" in statements:
        click.echo(_REFERENCE)
