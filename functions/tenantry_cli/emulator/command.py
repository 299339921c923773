"""`tenantry up`, `reset` and `bundle`."""

import math
from functools import partial
from typing import NoReturn

import click
import psutil
from rich.console import Console

from tenantry_cli.emulator.bundle import bundle_supabase_js
from tenantry_cli.emulator.components import install_components
from tenantry_cli.emulator.ports import DEFAULT
from tenantry_cli.emulator.stack import Stack, erase_database
from tenantry_cli.emulator.state import State, alive, running, sweep
from tenantry_cli.emulator.status import show_connection
from tenantry_cli.emulator.supervisor import (
    RESET,
    Starter,
    start_detached,
    stopping_cleanly,
    watch,
)
from tenantry_cli.errors import TenantryError, describe_os_error
from tenantry_cli.project import find_project
from tenantry_cli.signals import INTERRUPTED, completed
from tenantry_cli.target import Target
from tenantry_cli.waiting import wait_until


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
    help=(
        "The port of the gateway; the next six ports are used too. Without it: `port` in "
        f"[api] of supabase/config.toml, or {DEFAULT}."
    ),
)
@click.option(
    "--leave-out-missing",
    is_flag=True,
    help="Leave out the statements that need what the emulator lacks, and list them.",
)
@click.option("--ready-fd", type=int, hidden=True)
def up(
    demo: bool,
    detach: bool,
    ephemeral: bool,
    port: int | None,
    leave_out_missing: bool,
    ready_fd: int | None,
) -> None:
    """Start the emulator, apply the migrations, run until Ctrl-C.

    TENANTRY_CACHE_DIR names the folder that keeps its components, and TENANTRY_PG_BIN the
    programs of another PostgreSQL.
    """
    project = find_project()
    if port is None:
        port = project.configuration.port or DEFAULT
    console = Console(highlight=False, soft_wrap=True)
    is_ready = False
    if detach:
        with stopping_cleanly():
            # The background process could not show the progress.
            install_components(console)
            arguments = [
                f"--port={port}",
                *(["--ephemeral"] if ephemeral else []),
                *(["--leave-out-missing"] if leave_out_missing else []),
            ]
            log = project.state / f"supervisor-{port}.log"
            start_detached(arguments, log, partial(console.print, markup=False))
            is_ready = True
        if not is_ready:
            _end_early()
        state = running(project, port)
        show_connection(console, state.connection, state.warnings)
        console.print("ready (`tenantry down` stops everything)")
        _run_demo(console, demo, state.connection)
        return
    starter = Starter(ready_fd)

    def report(sentence: str) -> None:
        console.print(sentence, markup=False)
        starter.report_progress(sentence)

    is_reset = False
    try:
        with stopping_cleanly() as requests:
            while not is_ready or requests.is_reset:
                is_reset, requests.is_reset, is_ready = requests.is_reset, False, False
                with Stack.start(
                    project,
                    port=port,
                    ephemeral=ephemeral,
                    empty=is_reset,
                    leave_out_missing=leave_out_missing,
                    console=console,
                    report=report,
                ) as stack:
                    show_connection(console, stack.connection, stack.warnings)
                    console.print("ready (Ctrl-C stops everything)")
                    starter.report_ready()
                    is_ready = True
                    try:
                        _run_demo(console, demo and not is_reset, stack.connection)
                    except TenantryError as error:
                        # The emulator still runs, and helps to find the reason.
                        console.print(str(error), style="red", markup=False)
                    watch(stack, requests)
    except OSError as error:
        failure = describe_os_error(error)
        starter.report_failure(failure)
        raise failure from error
    except TenantryError as error:
        starter.report_failure(error)
        raise
    if not is_ready:
        _end_early()


@click.command()
@click.option("--port", type=int, help="The port of the gateway, if several emulators run.")
def reset(port: int | None) -> None:
    """Empty this project's database, and start it anew.

    The migrations and the seed are applied again. A running emulator goes on with the new
    database. Without one, the next `tenantry up` creates the database.
    """
    project = find_project()
    before = alive(project, port)
    if before is None:
        if port is not None:
            running(project, port)
        sweep(project)
        erase_database(project)
        click.echo("The database is empty. `tenantry up` applies the migrations and the seed.")
        return
    # An emulator that is still starting could not be asked.
    running(project, before.gateway_port)
    try:
        with completed():
            click.echo("Emptying the database, and applying supabase/migrations …")
            psutil.Process(before.supervisor_pid).send_signal(RESET)
        wait_until(
            lambda: _is_new(before, alive(project, before.gateway_port)),
            "the emulator is ready again",
            # Many migrations may take any time, and an emulator that fails ends.
            seconds=math.inf,
            interval=0.2,
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "Interrupted. The emulator goes on: `tenantry status` shows when it is ready."
        ) from None
    after = running(project, before.gateway_port)
    show_connection(Console(highlight=False, soft_wrap=True), after.connection, after.warnings)


def _is_new(before: State, state: State | None) -> bool:
    """Whether the reset is over: the emulator is ready again, or has ended."""
    if state is None:
        # Between two runs the supervisor has no state for a moment.
        return not before.is_running
    return state.run_id != before.run_id and bool(state.connection)


@click.command()
def bundle() -> None:
    """Add supabase-js to the functions, for a deploy of the console."""
    project = find_project()
    copied = bundle_supabase_js(install_components(Console(highlight=False)), project)
    click.echo(copied.relative_to(project.root))


def _end_early() -> NoReturn:
    click.echo("stopped before it was ready", err=True)
    raise SystemExit(INTERRUPTED)


def _run_demo(console: Console, wanted: bool, connection: dict[str, str]) -> None:
    if wanted:
        from tenantry_cli.demo.story import tell

        tell(Target.of(connection), console)
