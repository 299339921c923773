"""`tenantry doctor`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict

import click
import psycopg
from rich.console import Console
from rich.markup import escape

from tenantry_cli.doctor.answers import KINDS, examine_answers
from tenantry_cli.doctor.cache_load import measure_cache_load
from tenantry_cli.doctor.capacity import capacity_of
from tenantry_cli.doctor.catalog import BROKEN, connect, examine_catalog
from tenantry_cli.doctor.problem import Connection, Problem, lasting_problems
from tenantry_cli.errors import TenantryError
from tenantry_cli.progress import progress_bar
from tenantry_cli.target import Target, target_options
from tenantry_cli.waiting import WaitTimeoutError, wait_until

# PostgREST reads its settings again after a repair.
_SETTLING_SECONDS = 30
_INTERVAL_SECONDS = 0.2
# A repair may depend on two others: a privilege on a policy, and the policy on a routine.
_ROUNDS = 4
# With fewer tenants a progress bar would only flash.
_MANY = 50

# Takes what is done, and returns what takes the numbers of done tenants and of all.
Show = Callable[[str], Callable[[int, int], None]]


@click.command()
@click.option("--fix", is_flag=True, help="Repair the problems, in a safe order.")
@click.option(
    "--forget-missing",
    is_flag=True,
    help="With --fix: also remove tenants whose schema is missing. This cannot be undone.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the problems as JSON.")
@target_options
def doctor(target: Target, fix: bool, forget_missing: bool, as_json: bool) -> None:
    """Report problems in the database; repair them with --fix.

    The command compares each function, table and privilege of Tenantry with its release,
    registry, schemas, grants, policies and settings with the design, and each tenant with the
    template at its version. It needs the URL of the database. Exit code 0: there is no problem,
    but there may be warnings; 1: there are problems.
    """
    console = Console(highlight=False, soft_wrap=True)
    if target.db_url is None:
        raise TenantryError(
            "The doctor examines privileges and policies. Give --db-url (or SUPABASE_DB_URL)."
        )
    if forget_missing and not fix:
        raise TenantryError("--forget-missing has an effect only with --fix. Give --fix too.")
    outcomes: dict[Problem, str | None] = {}
    with connect(target.db_url) as connection, _progress() as show:
        # A damaged database is what the doctor is for: the checks say what is wrong.
        with suppress(psycopg.Error):
            measure_cache_load(target.db_url)
        found = _examine(connection, target, show)
        if fix and _repairable(found, forget_missing):
            outcomes, found = _repaired(connection, target, found, forget_missing, show)
    capacity = None
    with suppress(psycopg.Error):
        capacity = capacity_of(target.db_url)
    problems = [problem for problem in found if not problem.is_warning]
    warnings = [problem for problem in found if problem.is_warning]
    repaired = [problem for problem, error in outcomes.items() if error is None]

    def error_of(problem: Problem) -> str | None:
        return next(
            (error for each, error in outcomes.items() if each.is_same_as(problem)), None
        )

    if as_json:
        report = {
            "problems": [
                problem.as_json() | {"error": error_of(problem)} for problem in problems
            ],
            "warnings": [warning.as_json() for warning in warnings],
            "repaired": [problem.as_json() for problem in repaired],
            "capacity": None if capacity is None else asdict(capacity),
        }
        click.echo(json.dumps(report, indent=2))
    else:
        for problem in repaired:
            console.print(f"[green]repaired[/] {escape(problem.detail)}")
        for problem in problems:
            console.print(f"[red]{escape(problem.detail)}[/]")
            console.print(f"    {escape(problem.remediation)}")
            if error := error_of(problem):
                console.print(f"    Not repaired: {escape(error)}")
        for warning in warnings:
            console.print(f"[yellow]warning[/] {escape(warning.detail)}")
            console.print(f"    {escape(warning.remediation)}")
        if not problems:
            console.print("No problem was found.")
            if capacity is not None and str(capacity):
                console.print(str(capacity))
        elif not fix and _repairable(problems, forget_missing):
            several = (
                " By hand, run one statement, then the doctor again: a problem may follow from "
                "another."
            )
            console.print(
                "`tenantry doctor --fix` repairs some of these problems."
                f"{several if len(problems) > 1 else ''}"
            )
    if problems:
        raise SystemExit(1)


@contextmanager
def _progress() -> Iterator[Show]:
    with progress_bar(Console(stderr=True), is_shown=True) as progress:
        task = progress.add_task("", total=None, visible=False)

        def show(description: str) -> Callable[[int, int], None]:
            def report(done: int, total: int) -> None:
                progress.update(
                    task,
                    description=description,
                    completed=done,
                    total=total,
                    visible=total > _MANY,
                )

            return report

        yield show


def _examine(connection: Connection, target: Target, show: Show) -> list[Problem]:
    found = examine_catalog(connection, show("Comparing tenants"))
    if not any(problem.kind == BROKEN for problem in found):
        report = show("Asking the Data API")
        found += lasting_problems(lambda: _examine_answers(connection, target, report))
    return found


def _examine_answers(
    connection: Connection, target: Target, report: Callable[[int, int], None]
) -> list[Problem]:
    try:
        found = list(examine_answers(connection, target, report))
        # The next examination needs a new snapshot.
        connection.rollback()
    except psycopg.Error as error:
        raise TenantryError(
            f"The examination lost its connection to the database: {error}"
        ) from error
    return found


def _repaired(
    connection: Connection,
    target: Target,
    found: list[Problem],
    forget_missing: bool,
    show: Show,
) -> tuple[dict[Problem, str | None], list[Problem]]:
    """The repaired problems, each with the error or None, and the problems that are left.

    One repair can depend on another: a policy may call a routine that is missing, and a new
    table gets its privileges afterwards. So the repairs that are left are tried again, as long
    as the problems change.
    """
    outcomes: dict[Problem, str | None] = {}
    for _ in range(_ROUNDS):
        before = _repairable(found, forget_missing)
        outcomes |= _repair(connection, before)
        found = examine_catalog(connection, show("Comparing tenants"))
        if _repairable(found, forget_missing) in ([], before):
            break
    return outcomes, _settled(connection, target, show)


def _repairable(problems: list[Problem], forget_missing: bool) -> list[Problem]:
    return [
        problem
        for problem in problems
        if problem.repair is not None and (forget_missing or not problem.is_final)
    ]


def _repair(connection: Connection, problems: list[Problem]) -> dict[Problem, str | None]:
    """Runs each repair in its own transaction, so that a failing repair stops no other."""
    outcomes: dict[Problem, str | None] = {}
    errors: dict[tuple[str | None, str, str], str | None] = {}
    for problem in problems:
        # All problems of one kind with one object are repaired together.
        key = (problem.tenant, problem.kind, problem.object)
        if key not in errors:
            errors[key] = _attempt(connection, key)
        outcomes[problem] = errors[key]
    connection.execute("notify pgrst, 'reload config'")
    connection.execute("notify pgrst")
    connection.commit()
    return outcomes


def _attempt(connection: Connection, key: tuple[str | None, str, str]) -> str | None:
    """The error of the database, or None."""
    try:
        with connection.transaction():
            connection.execute("select tenancy.repair_findings(%s, %s, %s)", key)
    except psycopg.OperationalError as error:
        if connection.closed:
            raise TenantryError(
                f"The repair lost its connection to the database: {error}"
            ) from error
        return str(error)
    except psycopg.Error as error:
        return str(error)
    return None


def _settled(connection: Connection, target: Target, show: Show) -> list[Problem]:
    """The problems that remain after PostgREST has read its settings again."""
    problems: list[Problem] = []
    is_announced = False

    def is_settled() -> bool:
        nonlocal problems, is_announced
        problems = _examine(connection, target, show)
        # Only answers of the Data API change without another repair.
        if not any(problem.kind in KINDS for problem in problems):
            return True
        if not is_announced:
            click.echo("Waiting until the Data API has read its settings again.", err=True)
            is_announced = True
        return False

    # The answers that are still wrong after this time are problems too.
    with suppress(WaitTimeoutError):
        wait_until(
            is_settled,
            "the Data API answers as it should",
            seconds=_SETTLING_SECONDS,
            interval=_INTERVAL_SECONDS,
        )
    return problems
