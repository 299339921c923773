"""`tenantry upgrade`: brings a project to the installed release."""

from __future__ import annotations

from dataclasses import replace

import click

from tenantry_cli.errors import TenantryError
from tenantry_cli.installation.manifest import Manifest
from tenantry_cli.installation.plan import (
    Plan,
    clashes,
    looked_into,
    opened,
    placed_migrations,
    way_out,
)
from tenantry_cli.installer import install_line
from tenantry_cli.project import find_project
from tenantry_cli.release import Release, installed_release, parse_version


@click.command()
@click.option("--dry-run", is_flag=True, help="Print the plan, and write nothing.")
@click.option(
    "--db-url", envvar="SUPABASE_DB_URL", help="Look into this database too, as postgres."
)
def upgrade(dry_run: bool, db_url: str | None) -> None:
    """Add the migrations of the installed release to this project.

    They stand behind those of the project, so that a plain `supabase db push` applies them.
    """
    project = find_project()
    manifest = Manifest.require(project)
    release = installed_release()
    require_not_newer("supabase/tenantry.json", manifest.release, release)
    with opened(project, db_url) as database:
        if database is not None and (present := database.release()) is not None:
            require_not_newer(f"the {database.place}", present, release)
        if parse_version(manifest.release) == parse_version(release.version):
            click.echo(f"This project has Tenantry {release.version}. Nothing was changed.")
            return
        ours = placed_migrations(project, release)
        new = release.migrations_since(manifest.release)
        known = [migration for migration in release.migrations if migration not in new]
        if taken := clashes(project, new, known, ours, database):
            raise TenantryError(
                f"Tenantry {release.version} makes objects whose names are taken:\n  "
                + "\n  ".join(taken)
                + f"\n{way_out(database)}, then run `tenantry upgrade` again. "
                "Nothing was written."
            )
        applied = () if database is None else database.applied_versions()
    plan = Plan(project, replace(manifest, release=release.version))
    plan.facts.append(f"Tenantry {manifest.release}; installed is {release.version}")
    plan.facts += looked_into(database)
    for migration in new:
        plan.put_migration(migration.name, migration.text, *applied)
    plan.put_functions(release)
    plan.show()
    for section in release.changes_since(manifest.release):
        click.echo(f"\n{section}")
    click.echo()
    if dry_run:
        click.echo("Dry run: nothing was written.")
        return
    plan.carry_out()
    click.echo(
        f"Tenantry {release.version} is in this project. Commit these files, apply the "
        "migrations with supabase db push --remote, run `tenantry migrate`, and deploy the "
        "functions."
    )


def require_not_newer(place: str, present: str, release: Release) -> None:
    if parse_version(present) > parse_version(release.version):
        raise TenantryError(
            f"Tenantry {release.version} is installed, and {place} has {present}. Install that "
            f"release: {install_line(f'tenantry[local]=={present}')}. Nothing was changed."
        )
