"""`tenantry draft`: drafts the migration from the last release to the database of `sql/`."""

import click
from rich.console import Console

from tenantry_cli.emulator.components import Components
from tenantry_cli.emulator.stack import Stack
from tenantry_cli.emulator.supabase_cli import difference
from tenantry_cli.migration_files import next_migration_version, require_migration_name
from tenantry_cli.project import Project, find_project
from tenantry_cli.sources import build_database

_NOT_COMPARED = """\
Read the draft. `supabase db diff` does not compare
  - data: a change of the tenant template is a row, so register it as a tenant migration
  - settings of roles, such as the Data API's in 95_data_api.sql
  - schema auth and the objects of extensions
  - the creation script: end the file with `select tenancy.renew_creation_script();`
Add what is missing and run the command again. It then finds no difference."""
_REFERENCE = """\
The draft alters tenant_template. Only a tenant migration may do that: replace these statements
by the new file of sql/25_tenant_template, which calls tenancy.add_tenant_migration(…)."""


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
        statements = draft_statements(project, stack.components, stack.db_url, present)
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


def draft_statements(
    project: Project, components: Components, from_url: str, empty_url: str
) -> str:
    """The statements from a database of the project's migrations to `sql/`.

    Builds `sql/` in the empty database.
    """
    build_database(project, empty_url)
    return difference(components, from_url, empty_url)
