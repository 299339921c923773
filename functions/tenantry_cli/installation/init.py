"""`tenantry init`: puts Tenantry into a project that exists."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tenantry_cli.errors import TenantryError
from tenantry_cli.installation.manifest import Manifest
from tenantry_cli.installation.own_objects import pre_request_function
from tenantry_cli.installation.plan import (
    MAIN,
    Plan,
    clashes,
    looked_into,
    opened,
    own_migrations,
    placed_migrations,
    require_own_project,
    way_out,
)
from tenantry_cli.migration_files import REMOVAL
from tenantry_cli.project import Project, find_project
from tenantry_cli.release import Release, installed_release, parse_version

if TYPE_CHECKING:
    from tenantry_cli.installation.live import Live

_OLDEST_POSTGRES = 15
_EXPOSE = """\
-- The schemas that supabase/config.toml exposes. From now on the list in the database decides.
-- A schema that does not exist would stop the Data API.
select tenancy.expose_schema(n.nspname)
from pg_catalog.pg_namespace n
where n.nspname in ({names})
order by array_position(array[{names}], n.nspname::text);
"""
_FIRST = """\
-- The first schema serves the requests that name none.
select tenancy.lock_exposure();
select tenancy.set_exposed_schemas(array[{0}] || array_remove(tenancy.exposed_schemas(), {0}))
where {0} = any (tenancy.exposed_schemas());
"""


@click.command()
@click.option("--dry-run", is_flag=True, help="Print the plan, and write nothing.")
@click.option(
    "--db-url", envvar="SUPABASE_DB_URL", help="Look into this database too, as postgres."
)
def init(dry_run: bool, db_url: str | None) -> None:
    """Put Tenantry into this project.

    Writes its migrations behind those of the project, and the folder of the functions. Names
    that are taken already are shown before anything is written.
    """
    project = find_project()
    require_own_project(project)
    release = installed_release()
    manifest = Manifest.read(project)
    if manifest is not None:
        _report_present(project, release, manifest)
        return
    with opened(project, db_url) as database:
        plan = _plan(project, release, database)
    plan.show()
    if dry_run:
        click.echo("Dry run: nothing was written.")
        return
    plan.carry_out()
    up = "`tenantry down` and `tenantry up`" if _is_up(project) else "`tenantry up`"
    click.echo(
        f"Tenantry {release.version} is in this project. Commit these files, then apply the "
        f"migrations: supabase db push --remote, or {up} on this machine."
    )


def _is_up(project: Project) -> bool:
    """Whether an emulator of the project runs, which was started without Tenantry."""
    if not (project.root / ".tenantry").is_dir():
        return False
    # The base installation has no emulator.
    with suppress(ModuleNotFoundError, TenantryError):
        from tenantry_cli.emulator.state import alive

        return alive(project) is not None
    return False


def _report_present(project: Project, release: Release, manifest: Manifest) -> None:
    if parse_version(manifest.release) != parse_version(release.version):
        raise TenantryError(
            f"This project has Tenantry {manifest.release}, and {release.version} is "
            "installed. Run `tenantry upgrade`."
        )
    # A main.py that was the project's own is not in the manifest.
    for path in dict.fromkeys((*manifest.files, MAIN)):
        if not (project.root / path).exists():
            click.echo(f"{path} is missing: take it from your version control.")
    click.echo(f"Tenantry {release.version} is in this project already. Nothing was changed.")


def _plan(project: Project, release: Release, database: Live | None) -> Plan:
    ours = placed_migrations(project, release)
    versions = {file.name.split("_")[0] for file in ours}
    applied = set() if database is None else database.applied_versions()
    if database is not None and database.has_tenantry() and not versions & applied:
        raise TenantryError(
            f"The {database.place} has Tenantry already, and this project has not the "
            "migrations that were pushed. "
            f"{_way_to_migrations(project, database, applied)}. Nothing was written."
        )
    own = own_migrations(project, ours)
    source, major = _postgres(project, database)
    obstacles = clashes(project, release.migrations, (), ours, database)
    if major is not None and major < _OLDEST_POSTGRES:
        obstacles.append(f"PostgreSQL {major} ({source}); Tenantry needs {_OLDEST_POSTGRES}")
    if obstacles:
        raise TenantryError(
            "This project has what Tenantry cannot live beside:\n  "
            + "\n  ".join(obstacles)
            + f"\nTenantry makes objects with such names. {way_out(database)}, then "
            "run `tenantry init` again. Nothing was written."
        )
    plan = Plan(project, Manifest(release.version))
    plan.facts += looked_into(database)
    plan.facts.append(_counted(own))
    if major is not None:
        plan.facts.append(f"PostgreSQL {major} ({source})")
    pre_request = _pre_request(own, database)
    if pre_request:
        plan.facts.append(f"pre-request function {pre_request}: goes on, beside the guard")
    for migration in release.migrations:
        plan.put_migration(migration.name, migration.text, *applied)
    exposed = project.configuration.schemas
    further = [name for name in exposed if name not in ("public", "graphql_public")]
    if further:
        plan.facts.append(f"exposed schemas {', '.join(further)}: stay exposed")
        plan.put_migration("expose_schemas", _exposing(exposed, further), *applied)
    if "public" not in exposed:
        plan.notes.append(
            "The Data API does not expose public now. It will, because the RPCs are there. "
            "Check the privileges and policies of your tables in public before you push."
        )
    plan.put_functions(release)
    plan.put_ignored()
    return plan


def _way_to_migrations(project: Project, database: Live, applied: set[str]) -> str:
    removals = project.migrations.glob(f"*_{REMOVAL}.sql")
    pending = [file.name for file in sorted(removals) if file.name.split("_")[0] not in applied]
    if pending:
        return f"Push {pending[-1]} first, then run `tenantry init` again"
    take = "Take them from the version control of the project, or "
    if database.is_emulator:
        return f"{take}empty the emulator: `tenantry reset`"
    return f"{take}give the database of this project"


def _counted(own: list[Path]) -> str:
    if not own:
        return "no migrations"
    return f"{len(own)} migration{'s' if own[1:] else ''}, the last one {own[-1].name}"


def _postgres(project: Project, database: Live | None) -> tuple[str, int | None]:
    # The emulator may have another version than the hosted project.
    if database is not None and not database.is_emulator:
        return "the database", database.major_version
    return "supabase/config.toml", project.configuration.major_version


def _pre_request(own: list[Path], database: Live | None) -> str | None:
    present = None if database is None else database.setting("pgrst.db_pre_request")
    # After a push the setting is ours.
    if present is None or present.startswith("tenancy."):
        return pre_request_function(own)
    return present


def _exposing(exposed: tuple[str, ...], further: list[str]) -> str:
    def quoted(name: str) -> str:
        return "'" + name.replace("'", "''") + "'"

    names = ", ".join(map(quoted, further))
    first = _FIRST.format(quoted(exposed[0])) if exposed[0] in further else ""
    return _EXPOSE.format(names=names) + first
