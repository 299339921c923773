"""`tenantry prove`."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tenantry_cli.errors import TenantryError
from tenantry_cli.proof.campaign import Result
from tenantry_cli.proof.campaign import prove as run
from tenantry_cli.proof.interruption import interruptible
from tenantry_cli.proof.plan import Selection
from tenantry_cli.proof.report import as_json, show
from tenantry_cli.target import Target, target_options

_COULD_NOT_RUN = 2
_INTERRUPTED = "Interrupted. All created objects have been removed."
# The width of the matrix if the output is no terminal.
_WIDTH = 140


def _separate_exit_code(command: Callable[..., None]) -> Callable[..., None]:
    """Ends a failed run with another exit code than a run that found a leak."""

    @wraps(command)
    def with_exit_code(*positional: Any, **arguments: Any) -> None:
        try:
            command(*positional, **arguments)
        except (TenantryError, KeyboardInterrupt) as error:
            _fail(str(error) or _INTERRUPTED)
            raise SystemExit(_COULD_NOT_RUN) from error
        except (click.exceptions.Exit, click.Abort, click.ClickException):
            raise
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            _fail(
                f"The proof failed: {type(error).__name__}: {error} "
                f"({Path(place.filename).name}, line {place.lineno}). This is a defect of "
                "`tenantry prove`. Report it with this message."
            )
            raise SystemExit(_COULD_NOT_RUN) from error

    return with_exit_code


@click.command()
@click.option(
    "--json",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a report to this file.",
)
@click.option(
    "--full",
    is_flag=True,
    help="Try every entry point, verb and tenant too, which takes some minutes.",
)
@click.option(
    "--keep-accounts",
    is_flag=True,
    help="Leave accounts, without any rights, if the project does not allow to delete them.",
)
@_separate_exit_code
@target_options
def prove(target: Target, file: Path | None, full: bool, keep_accounts: bool) -> None:
    """Prove that no identity has access to another tenant's data.

    The command creates temporary tenants and users in the project, and removes them. Without
    --url it uses the running emulator. Exit code 0: proved; 1: there is a leak, or a positive
    control failed; 2: the command could not run, or could not remove what it created.
    """
    if file is not None:
        _require_writable(file)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH)
    with interruptible():
        selection = Selection.FULL if full else Selection.BRIEF
        result = _run(target, selection, console, keeps_accounts=keep_accounts)
    show(result, console)
    failures = list(result.remains)
    if file is not None:
        try:
            file.write_text(json.dumps(as_json(result), indent=2, ensure_ascii=False) + "\n")
        except OSError as error:
            failures.append(f"The report could not be written to {file}: {error.strerror}.")
    if failures:
        _fail("\n".join(failures))
    if not result.is_proved:
        raise SystemExit(1)
    if failures:
        raise SystemExit(_COULD_NOT_RUN)


def _fail(sentence: str) -> None:
    click.echo(f"Error: {sentence}", err=True)


def _require_writable(file: Path) -> None:
    """Checks the file before the campaign, not after it."""
    is_new = not file.exists()
    try:
        with file.open("a"):
            pass
    except OSError as error:
        raise TenantryError(
            f"--json {file} cannot be written ({error.strerror}). Name another file."
        ) from error
    if is_new:
        file.unlink()


def _run(
    target: Target, selection: Selection, console: Console, *, keeps_accounts: bool
) -> Result:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    # Standard output has only the report.
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("", total=None)

        def progress(step: str, done: int, total: int) -> None:
            shown.update(task, description=step, completed=done, total=total or None)

        return run(target, selection, progress, keeps_accounts=keeps_accounts)
