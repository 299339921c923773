"""`tenantry push` and `tenantry supabase`: the Supabase CLI with the running emulator."""

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import click
from rich.console import Console

from tenantry_cli.emulator.components import Components, install_components
from tenantry_cli.emulator.exposure import unlisted
from tenantry_cli.emulator.ports import Ports
from tenantry_cli.emulator.postgres import Postgres
from tenantry_cli.emulator.push import push_project
from tenantry_cli.emulator.server_log import warnings_from_now
from tenantry_cli.emulator.state import State, running
from tenantry_cli.emulator.supabase_cli import NO_TELEMETRY, quiet_environment
from tenantry_cli.emulator.workdir import command_folder
from tenantry_cli.errors import TenantryError
from tenantry_cli.project import Project, find_project

# The commands that take a database, by their first words, and those below them that take none.
_WITH_DATABASE = ("db", "migration", "migrations", "inspect db", "gen types", "test db")
_WITHOUT_DATABASE = ("db start", "db schema", "migration new", "migrations new")
# Those that apply migrations.
_APPLYING = ("db push", "migration up", "migrations up")
# Whoever gives one of these has chosen a database.
_CHOICES = ("--remote", "--from", "--to", "--local", "--linked", "--db-url")
_HELP = {"--help", "-h"}


@click.command()
@click.option("--port", type=int, help="The port of the gateway, if several emulators run.")
@click.option(
    "--leave-out-missing",
    is_flag=True,
    help="Leave out the statements that need what the emulator lacks, and list them.",
)
def push(port: int | None, leave_out_missing: bool) -> None:
    """Apply the pending migrations to the running emulator."""
    project = find_project()
    state = running(project, port)
    components = install_components(Console(quiet=True))
    pushed = push_project(
        components,
        server_of(project, components, state),
        project.root,
        env=quiet_environment(_home(project)),
        leave_out_missing=leave_out_missing,
        log=_server_log(project, state),
    )
    if pushed.warnings:
        raise TenantryError("\n".join(pushed.warnings))
    click.echo(pushed.summary)
    _show_warnings(pushed.server_warnings)
    if pushed.left_out:
        click.echo(pushed.left_out)
    for sentence in unlisted(project.configuration.schemas, state.connection["DB_URL"]):
        click.echo(sentence)


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def supabase(ctx: click.Context, arguments: tuple[str, ...]) -> None:
    """Run the Supabase CLI with the emulator as its database.

    A command that takes a database gets the emulator's, unless --remote names another one.
    """
    components = install_components(Console(quiet=True))
    if not arguments or not _HELP.isdisjoint(arguments):
        # Help needs no project.
        ctx.exit(subprocess.run([components.supabase, *arguments], check=False).returncode)
    project = find_project()
    if arguments[:2] == ("db", "reset") and not _has_choice(arguments):
        raise TenantryError("`tenantry reset` empties the database of the emulator.")
    database = []
    warnings: Callable[[], tuple[str, ...]] = tuple
    home = _home(project)
    environment = {**os.environ, **NO_TELEMETRY, "TMPDIR": home}
    if _is_local(arguments):
        # Other commands may need the access token in the person's own home.
        environment |= {"SUPABASE_HOME": home}
    if _takes_database(arguments) and not _has_choice(arguments):
        state = running(project)
        url = state.connection["DB_URL"]
        database = [f"--remote={url}?sslmode=disable"]
        if _begins(arguments, _APPLYING):
            warnings = warnings_from_now(_server_log(project, state))
    with command_folder(project.root) as folder:
        done = subprocess.run(
            [components.supabase, *arguments, *database, "--workdir", folder],
            cwd=Path.cwd(),
            env=environment,
            check=False,
        )
    _show_warnings(warnings())
    ctx.exit(done.returncode)


def server_of(project: Project, components: Components, state: State) -> Postgres:
    """The database server of a running emulator."""
    port = Ports(state.gateway_port).database
    return Postgres(components.postgres, project.state / "postgres", port)


def _server_log(project: Project, state: State) -> Path:
    home = Path(state.throw_away) if state.throw_away else project.state
    return home / "logs" / "postgres.log"


def _show_warnings(warnings: Sequence[str]) -> None:
    for warning in warnings:
        click.echo(f"Warning: {warning}", err=True)


def _takes_database(arguments: Sequence[str]) -> bool:
    return _begins(arguments, _WITH_DATABASE) and not _begins(arguments, _WITHOUT_DATABASE)


def _is_local(arguments: Sequence[str]) -> bool:
    """Whether the command concerns this machine alone."""
    return _begins(arguments, _WITH_DATABASE) and not _has_choice(arguments)


def _begins(arguments: Sequence[str], commands: tuple[str, ...]) -> bool:
    words = " ".join(each for each in arguments if not each.startswith("-")) + " "
    return words.startswith(tuple(f"{each} " for each in commands))


def _has_choice(arguments: Sequence[str]) -> bool:
    return any(each.split("=")[0] in _CHOICES for each in arguments)


def _home(project: Project) -> str:
    home = project.state / "components"
    home.mkdir(mode=0o700, exist_ok=True)
    return str(home)
