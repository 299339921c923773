"""`tenantry status` and `tenantry down`, which need only the state of the emulator.

Apart from the commands that start an emulator, because importing one takes far longer than
these commands take to run.
"""

import json
from collections.abc import Sequence

import click
import psutil
from rich.console import Console

from tenantry_cli.emulator.paths import ABSENT_SENTENCE
from tenantry_cli.emulator.state import NotRunningError, alive, running, sweep
from tenantry_cli.project import find_project

_LABELS = (
    ("API_URL", "API URL"),
    ("FUNCTIONS_URL", "Functions URL"),
    ("DB_URL", "Database URL"),
    ("PUBLISHABLE_KEY", "publishable key"),
    ("SECRET_KEY", "secret key"),
    ("ANON_KEY", "anon key"),
    ("SERVICE_ROLE_KEY", "service_role key"),
    ("SUPABASE_CLI", "Supabase CLI"),
)


@click.command()
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print JSON with the names of `supabase status -o json`.",
)
@click.option("--port", type=int, help="The port of the gateway, if several emulators run.")
def status(as_json: bool, port: int | None) -> None:
    """Show how to connect to the running emulator, or why it ended.

    Exits 1 if none is ready. Then the JSON has the members `running` (false) and `reason`.
    """
    try:
        state = running(find_project(), port)
    except NotRunningError as error:
        if as_json:
            click.echo(json.dumps({"running": False, "reason": error.reason}, indent=2))
        raise
    if as_json:
        click.echo(json.dumps(state.connection, indent=2))
    else:
        show_connection(
            Console(highlight=False, soft_wrap=True), state.connection, state.warnings
        )


@click.command()
@click.option("--port", type=int, help="The port of the gateway, if several emulators run.")
def down(port: int | None) -> None:
    """Stop the running emulator; keep its data."""
    project = find_project()
    state = alive(project, port)
    if state is None:
        # A supervisor that was killed has left its children.
        sweep(project)
        running(project, port)
        return
    psutil.Process(state.supervisor_pid).terminate()
    state.wait_until_gone()
    click.echo(f"stopped http://127.0.0.1:{state.gateway_port}")


def show_connection(
    console: Console, connection: dict[str, str], warnings: Sequence[str]
) -> None:
    for name, label in _LABELS:
        console.print(f"{label:>16}: {connection[name]}", markup=False)
    console.print(ABSENT_SENTENCE, markup=False)
    for warning in warnings:
        console.print(warning, style="yellow", markup=False)
