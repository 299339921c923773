"""`tenantry new`: a file that registers, replaces or withdraws a tenant migration."""

import re

import click

from tenantry_cli.errors import TenantryError
from tenantry_cli.migration_files import (
    next_migration_version,
    require_migration_name,
    require_tenantry,
    text_of,
)
from tenantry_cli.project import Project, find_project

_TENANT_MIGRATION = """\
-- SQL as for one tenant, with unqualified names, in the bodies of routines, too; what is in
-- public is written public.<name>. Members read new tables, writers write them, and their
-- changes are audited. For other levels, call
-- tenancy.enable_tenant_table(current_schema(), …); without audit, call
-- tenancy.leave_unaudited(current_schema(), …). A fourth argument names routines that the API
-- may call: array['name']. What must run once for the whole project, such as create extension,
-- stands before the registration.
select tenancy.register_tenant_migration('{version}', '{name}', $tenant$

$tenant$);
"""
# As the table of tenant migrations allows.
_VERSION = re.compile(r"[a-z0-9][a-z0-9_]{0,62}")
_REPLACEMENT = """\
-- The whole corrected text, for the tenants that lack tenant migration {version}. Tenants that
-- have the old text keep it, so it must lead to the same objects wherever one of them stands.
select public.replace_tenant_migration('{version}', $tenant$

$tenant$);
"""
_WITHDRAWAL = """\
-- Refused if a tenant has received it.
select public.withdraw_tenant_migration('{version}');
"""


@click.command()
@click.argument("name")
@click.option("--replace", metavar="VERSION", help="Correct the text of a tenant migration.")
@click.option("--withdraw", metavar="VERSION", help="Withdraw a tenant migration.")
def new(name: str, replace: str | None, withdraw: str | None) -> None:
    """Begin a tenant migration, which every tenant will receive.

    NAME says what the migration does, verb first: add_orders. With --replace or --withdraw the
    file concerns a migration that was registered before, in a new database, too.
    """
    require_migration_name(name)
    if replace is not None and withdraw is not None:
        raise click.UsageError("Give either --replace or --withdraw.")
    for version in filter(None, (replace, withdraw)):
        if not _VERSION.fullmatch(version):
            raise click.UsageError(f'"{version}" is not a version of a tenant migration.')
    project = find_project()
    require_tenantry(project)
    _require_new_name(project, name)
    for known in filter(None, (replace, withdraw)):
        _require_registered(project, known)
    version = next_migration_version(project)
    path = project.migrations / f"{version}_{name}.sql"
    project.migrations.mkdir(parents=True, exist_ok=True)
    written = f"Wrote {path.relative_to(project.root)}."
    if withdraw is not None:
        path.write_text(_WITHDRAWAL.format(version=withdraw))
        click.echo(f"{written} `supabase db push` withdraws the tenant migration.")
    elif replace is not None:
        path.write_text(_REPLACEMENT.format(version=replace))
        click.echo(f"{written} Fill it in; `supabase db push` replaces the text, and")
        click.echo("`tenantry migrate` applies it to the tenants that lack the migration.")
    else:
        path.write_text(tenant_migration(version, name))
        click.echo(f"{written} Fill it in; `supabase db push`")
        click.echo("registers it, and `tenantry migrate` applies it to every tenant.")


def _require_new_name(project: Project, name: str) -> None:
    """Two files may have one name, but usually the command was repeated by mistake."""
    for file in project.migrations.glob(f"*_{name}.sql"):
        if file.stem.partition("_")[2] == name:
            raise TenantryError(
                f'{file.relative_to(project.root)} has the name "{name}" already. Fill in that '
                "file, or give another name."
            )


def _require_registered(project: Project, version: str) -> None:
    """The files decide, because a new database has received nothing else."""
    calls = re.findall(
        rf"\b(register|withdraw)_tenant_migration\s*\([^;$]*?'{version}'",
        "\n".join(text_of(file) for file in sorted(project.migrations.glob("*.sql"))),
    )
    if not calls:
        raise TenantryError(
            f'No file in supabase/migrations registers a tenant migration "{version}". Give '
            "its version: usually the number at the beginning of its file's name."
        )
    if calls[-1] == "withdraw":
        raise TenantryError(
            f'A file in supabase/migrations withdraws the tenant migration "{version}" already.'
        )


def tenant_migration(version: str, name: str) -> str:
    """A tenant migration without its statements."""
    return _TENANT_MIGRATION.format(version=version, name=name)
