"""`tenantry new`: an empty tenant migration."""

import click

from tenantry_cli.migration_files import next_migration_version, require_migration_name
from tenantry_cli.project import find_project

_TENANT_MIGRATION = """\
-- SQL as for one tenant, with unqualified names. Members read new tables, writers write them,
-- and their changes are audited. For other levels, call
-- tenancy.enable_tenant_table(current_schema(), …); without audit, call
-- tenancy.leave_unaudited(current_schema(), …). A fourth argument names routines that the API
-- may call: array['name'].
select tenancy.register_tenant_migration('{version}', '{name}', $tenant$

$tenant$);
"""


@click.command()
@click.argument("name")
def new(name: str) -> None:
    """Begin a tenant migration, which every tenant will receive.

    NAME says what the migration does, verb first: add_orders.
    """
    require_migration_name(name)
    project = find_project()
    version = next_migration_version(project)
    path = project.migrations / f"{version}_{name}.sql"
    path.write_text(tenant_migration(version, name))
    click.echo(f"Wrote {path.relative_to(project.root)}. Fill it in; `supabase db push`")
    click.echo("registers it, and `tenantry migrate` applies it to every tenant.")


def tenant_migration(version: str, name: str) -> str:
    """A tenant migration without its statements."""
    return _TENANT_MIGRATION.format(version=version, name=name)
