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
_BACKFILL = """\
-- One UPDATE or DELETE. `tenantry migrate` repeats it for one part of the table after the
-- other, from $1 to $2, each in a transaction of about a second, until it changes no row. Its
-- condition must be false for a row that is changed. It is not run in new tenants: a default or
-- the application has to fill new rows. The audit log gets an entry for each batch, or for each
-- row after audit_rows => true.
select tenancy.register_tenant_backfill('{version}', '{name}', $tenant$
update <table> set <column> = <value>
where <column> is null
    and ctid >= $1 and ctid < $2
$tenant$);
"""
_INDEX = """\
-- One index with a name. `tenantry migrate` with the URL of the database builds it in a large
-- table while the table is written. Otherwise it is built within 5 seconds, and writers wait.
select tenancy.register_tenant_index('{version}', '{name}', $tenant$
create index <name> on <table> (<columns>)
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
@click.option("--backfill", is_flag=True, help="Change the rows of a table in short batches.")
@click.option("--index", is_flag=True, help="Add an index while the table is written.")
def new(
    name: str, replace: str | None, withdraw: str | None, backfill: bool, index: bool
) -> None:
    """Begin a tenant migration, which every tenant will receive.

    NAME says what the migration does, verb first: add_orders. With --replace or --withdraw the
    file concerns a migration that was registered before, in a new database, too.
    """
    require_migration_name(name)
    given = (replace is not None, withdraw is not None, backfill, index)
    if sum(given) > 1:
        raise click.UsageError(
            "Give only one of --replace, --withdraw, --backfill and --index."
        )
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
        click.echo(f"{written} `supabase db push`, or on the emulator")
        click.echo("`tenantry push`, withdraws the tenant migration.")
    elif replace is not None:
        path.write_text(_REPLACEMENT.format(version=replace))
        click.echo(f"{written} Fill it in; `supabase db push`, or on the")
        click.echo("emulator `tenantry push`, replaces the text, and")
        click.echo("`tenantry migrate` applies it to the tenants that lack the migration.")
    else:
        text = _BACKFILL if backfill else _INDEX if index else _TENANT_MIGRATION
        path.write_text(text.format(version=version, name=name))
        click.echo(f"{written} Fill it in; `supabase db push`, or on the")
        click.echo(
            "emulator `tenantry push`, registers it, and `tenantry migrate` applies it to "
            "every tenant."
        )


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
        rf"\b(register|withdraw)_tenant_(?:migration|backfill|index)\s*\([^;$]*?'{version}'",
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
