"""`tenantry uninstall`: takes Tenantry out of a project."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from tenantry_cli.errors import TenantryError
from tenantry_cli.installation.manifest import Manifest, read, write
from tenantry_cli.installation.plan import STATE, opened
from tenantry_cli.installation.removal import removal
from tenantry_cli.installation.upgrade import require_not_newer
from tenantry_cli.migration_files import REMOVAL, next_migration_version
from tenantry_cli.project import Project, find_project
from tenantry_cli.release import installed_release, parse_version


@click.command()
@click.option("--dry-run", is_flag=True, help="Print the plan, and change nothing.")
@click.option(
    "--db-url", envvar="SUPABASE_DB_URL", help="Look into this database too, as postgres."
)
def uninstall(dry_run: bool, db_url: str | None) -> None:
    """Take Tenantry out of this project.

    Drafts the migration that removes its objects from the database, and removes the files that
    `tenantry init` wrote. It is refused while tenants exist.
    """
    project = find_project()
    manifest = Manifest.require(project)
    release = installed_release()
    require_not_newer("supabase/tenantry.json", manifest.release, release)
    with opened(project, db_url) as database:
        tenants = [] if database is None else database.tenants()
        applied = set() if database is None else database.applied_versions()
    if database is not None and tenants:
        raise TenantryError(
            f"The {database.place} has {len(tenants)} "
            f"tenant{'s' if tenants[1:] else ''}, such as {tenants[0]}. Back up what you "
            "need, then suspend and delete each of them (suspend_tenant, "
            "delete_tenant_schema). Nothing was changed."
        )
    installed = [
        migration
        for migration in release.migrations
        if migration.version <= parse_version(manifest.release)
    ]
    draft = _draft(project, sorted(applied))
    removed = [path for path in manifest.files if _is_removable(project, manifest, path)]
    click.echo(f"Project {project.root}")
    click.echo(f"Writes:\n  {draft}")
    click.echo("Removes:")
    for path in (*removed, "supabase/tenantry.json"):
        click.echo(f"  {path}")
    for path, line in manifest.lines.items():
        click.echo(f"  the line {line} in {path}")
    for path in manifest.files:
        if path not in removed and (project.root / path).exists():
            click.echo(f"{path} stays: {_reason(project, path)}.")
    if (project.root / STATE).is_dir():
        click.echo(_kept_state(project))
    if dry_run:
        click.echo("Dry run: nothing was changed.")
        return
    exposed = {"public", "graphql_public", *project.configuration.schemas}
    text = removal(manifest.release, installed, sorted(exposed))
    write(project.root / draft, text)
    for path in removed:
        (project.root / path).unlink()
    _remove_folder(project.functions)
    for path, line in manifest.lines.items():
        _take_line(project, path, line)
    Manifest.path(project).unlink()
    click.echo(
        f"Read {draft}, then apply it: supabase db push --remote. It drops the audit log of "
        "the platform, too. It is refused while tenants exist."
    )


def _draft(project: Project, applied: list[str]) -> str:
    """Where the draft goes: an interrupted run may have written it behind all other files."""
    folder = project.migrations.relative_to(project.root)
    files = sorted(project.migrations.glob("*.sql"))
    if files and files[-1].stem.partition("_")[2] == REMOVAL:
        return (folder / files[-1].name).as_posix()
    return (folder / f"{next_migration_version(project, *applied)}_{REMOVAL}.sql").as_posix()


def _is_migration(project: Project, path: str) -> bool:
    return (project.root / path).parent == project.migrations


def _is_removable(project: Project, manifest: Manifest, path: str) -> bool:
    return not _is_migration(project, path) and manifest.is_unchanged(project, path)


def _reason(project: Project, path: str) -> str:
    if _is_migration(project, path):
        return (
            "a push stops where a pushed migration has no file. If no database has received "
            f"it, delete it by hand, and the draft {REMOVAL} too"
        )
    return "it was changed since"


def _kept_state(project: Project) -> str:
    folder = project.database_of_root
    if folder.is_dir():
        return (
            f"{STATE}/ stays: it has the emulator's keys. {folder} stays: it has the "
            "emulator's database. Delete both by hand, after `tenantry down`."
        )
    return f"{STATE}/ stays: it has the emulator's database and keys. Delete it by hand."


def _remove_folder(folder: Path) -> None:
    """Removes the folder if it has nothing but what Python wrote there."""
    cache = folder / "__pycache__"
    # A link and its folder are the project's own.
    if folder.is_dir() and not folder.is_symlink() and not {*folder.iterdir()} - {cache}:
        shutil.rmtree(folder)


def _take_line(project: Project, path: str, line: str) -> None:
    file = project.root / path
    if not file.exists():
        return
    kept = "\n".join(part for part in read(file).split("\n") if part.strip() != line)
    if kept:
        write(file, kept)
    else:
        file.unlink()
