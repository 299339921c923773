"""`tenantry up`, `status`, `down` and `bundle`."""

import json
from collections.abc import Sequence
from typing import NoReturn

import click
import psutil
from rich.console import Console

from tenantry_cli.emulator.bundle import copy_supabase_js
from tenantry_cli.emulator.components import install_components
from tenantry_cli.emulator.ports import DEFAULT
from tenantry_cli.emulator.stack import Stack
from tenantry_cli.emulator.state import running
from tenantry_cli.emulator.supervisor import (
    Starter,
    start_detached,
    stopping_cleanly,
    watch,
)
from tenantry_cli.errors import TenantryError
from tenantry_cli.project import find_project

# The exit code of Ctrl-C in a shell.
_INTERRUPTED = 130
_LABELS = {
    "API_URL": "API URL",
    "FUNCTIONS_URL": "Functions URL",
    "DB_URL": "Database URL",
    "ANON_KEY": "anon key",
    "SERVICE_ROLE_KEY": "service_role key",
}


@click.command()
@click.option(
    "--demo",
    is_flag=True,
    help="Show every step from sign-up to suspension, with real replies.",
)
@click.option("--detach", is_flag=True, help="Run in the background; return when ready.")
@click.option(
    "--ephemeral", is_flag=True, help="Use a new database, which is removed at the end."
)
@click.option(
    "--port",
    type=click.IntRange(1024, 65_000),
    default=DEFAULT,
    show_default=True,
    help="The port of the gateway; the next seven ports are used too.",
)
@click.option("--ready-fd", type=int, hidden=True)
def up(demo: bool, detach: bool, ephemeral: bool, port: int, ready_fd: int | None) -> None:
    """Start the emulator, apply the migrations, run until Ctrl-C."""
    project = find_project()
    console = Console(highlight=False, soft_wrap=True)
    is_ready = False
    if detach:
        with stopping_cleanly():
            # The background process could not show the progress.
            install_components(console)
            arguments = [f"--port={port}", *(["--ephemeral"] if ephemeral else [])]
            start_detached(arguments, project.state / f"supervisor-{port}.log")
            is_ready = True
        if not is_ready:
            _end_early()
        state = running(project, port)
        _show(console, state.connection, state.warnings)
        console.print("ready (`tenantry down` stops everything)")
        _run_demo(console, demo, state.connection)
        return
    starter = Starter(ready_fd)
    try:
        with (
            stopping_cleanly(),
            Stack.start(
                project,
                port=port,
                ephemeral=ephemeral,
                console=console,
            ) as stack,
        ):
            _show(console, stack.connection, stack.warnings)
            console.print("ready (Ctrl-C stops everything)")
            starter.report_ready()
            is_ready = True
            try:
                _run_demo(console, demo, stack.connection)
            except TenantryError as error:
                # The emulator still runs, and helps to find the reason.
                console.print(str(error), style="red", markup=False)
            watch(stack)
    except TenantryError as error:
        starter.report_failure(error)
        raise
    if not is_ready:
        _end_early()


@click.command()
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print JSON with the names of `supabase status -o json`.",
)
@click.option("--port", type=int, help="The port of the gateway, if several emulators run.")
def status(as_json: bool, port: int | None) -> None:
    """Show how to connect to the running emulator."""
    state = running(find_project(), port)
    if as_json:
        click.echo(json.dumps(state.connection, indent=2))
    else:
        _show(Console(highlight=False, soft_wrap=True), state.connection, state.warnings)


@click.command()
@click.option("--port", type=int, help="The port of the gateway, if several emulators run.")
def down(port: int | None) -> None:
    """Stop the running emulator; keep its data."""
    state = running(find_project(), port)
    psutil.Process(state.supervisor_pid).terminate()
    state.wait_until_gone()
    click.echo(f"stopped {state.connection['API_URL']}")


@click.command()
def bundle() -> None:
    """Copy supabase-js into the console's folder, for a deploy."""
    project = find_project()
    copied = copy_supabase_js(install_components(Console(highlight=False)), project)
    if copied is None:
        raise TenantryError("The functions of this project have no console.")
    click.echo(copied.relative_to(project.root))


def _end_early() -> NoReturn:
    click.echo("stopped before it was ready", err=True)
    raise SystemExit(_INTERRUPTED)


def _show(console: Console, connection: dict[str, str], warnings: Sequence[str]) -> None:
    for name, label in _LABELS.items():
        console.print(f"{label:>16}: {connection[name]}", markup=False)
    for warning in warnings:
        console.print(warning, style="yellow", markup=False)


def _run_demo(console: Console, wanted: bool, connection: dict[str, str]) -> None:
    if wanted:
        from tenantry_cli.emulator import demo

        demo.run(connection, console)
