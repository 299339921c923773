"""`tenantry prove`."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tenantry_cli.errors import TenantryError
from tenantry_cli.proof.campaign import Result
from tenantry_cli.proof.campaign import prove as run
from tenantry_cli.proof.report import as_json, show
from tenantry_cli.proof.script import Selection
from tenantry_cli.target import Target, target_options

_COULD_NOT_RUN = 2
# What a matrix takes where the output is no terminal.
_WIDTH = 140


@click.command()
@click.option(
    "--json",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it all there.",
)
@click.option("--brief", is_flag=True, help="One door and fewer verbs: a quick look.")
@target_options
def prove(target: Target, file: Path | None, brief: bool) -> None:
    """Try everything as everybody, and show that the tenants are sealed.

    Makes throw-away tenants and people in the project, and removes them. Without --url it is
    the running emulator. Exit code 0: proved; 1: a leak, or a proof that does not hold; 2: it
    could not run.
    """
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH)
    selection = Selection.BRIEF if brief else Selection.FULL
    try:
        with _interruptible():
            result = _run(target, selection, console)
    except TenantryError as error:
        click.echo(f"Error: {error}", err=True)
        raise SystemExit(_COULD_NOT_RUN) from error
    show(result, console)
    if file is not None:
        file.write_text(json.dumps(as_json(result), indent=2, ensure_ascii=False) + "\n")
    if not result.is_proved:
        raise SystemExit(1)


def _run(target: Target, selection: Selection, console: Console) -> Result:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    # To stderr: what is redirected is the report.
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("", total=None)

        def progress(stage: str, done: int, total: int) -> None:
            shown.update(task, description=stage, completed=done, total=total or None)

        return run(target, selection, progress)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Being told to end is like Ctrl-C: what was made is removed first."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        raise TenantryError("Interrupted; what was made has been removed.") from None
    finally:
        signal.signal(signal.SIGTERM, before)
