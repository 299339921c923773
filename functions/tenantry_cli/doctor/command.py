"""`tenantry doctor`."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass

import click
import psycopg
from rich.console import Console
from rich.markup import escape

from tenantry_cli.doctor.answers import KINDS, examine_answers
from tenantry_cli.doctor.catalog import connect, examine_catalog
from tenantry_cli.doctor.problem import Connection, Problem, lasting_problems
from tenantry_cli.errors import TenantryError
from tenantry_cli.target import Target, target_options
from tenantry_cli.waiting import WaitTimeoutError, wait_until

# PostgREST reads its settings again after a repair.
_SETTLING_SECONDS = 30
_INTERVAL_SECONDS = 0.2


@dataclass(frozen=True)
class _Outcome:
    """The result of one repair."""

    problem: Problem
    # The error of the database, if the repair failed.
    error: str | None = None


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

    The command compares registry, schemas, grants, policies and settings with the design. It
    needs the URL of the database. Exit code 0: there is no problem; 1: there are problems.
    """
    console = Console(highlight=False, soft_wrap=True)
    if target.db_url is None:
        raise TenantryError(
            "The doctor examines privileges and policies. Give --db-url (or SUPABASE_DB_URL)."
        )
    if forget_missing and not fix:
        raise TenantryError("--forget-missing has an effect only with --fix. Give --fix too.")
    outcomes: list[_Outcome] = []
    with connect(target.db_url) as connection:
        problems = _examine(connection, target)
        if fix and problems:
            outcomes = _repair(connection, problems, forget_missing)
            problems = _settled(connection, target)
    repaired = [outcome.problem for outcome in outcomes if outcome.error is None]

    def error_of(problem: Problem) -> str | None:
        return next((each.error for each in outcomes if each.problem.is_same_as(problem)), None)

    if as_json:
        report = {
            "problems": [
                problem.as_json() | {"error": error_of(problem)} for problem in problems
            ],
            "repaired": [problem.as_json() for problem in repaired],
        }
        click.echo(json.dumps(report, indent=2))
    else:
        for problem in repaired:
            console.print(f"[green]repaired[/] {escape(problem.sentence)}")
        for problem in problems:
            console.print(f"[red]{escape(problem.sentence)}[/]")
            console.print(f"    {escape(problem.remediation)}")
            if error := error_of(problem):
                console.print(f"    Not repaired: {escape(error)}")
        if not problems:
            console.print("No problem was found.")
        elif not fix and any(_may_repair(problem, forget_missing) for problem in problems):
            console.print("`tenantry doctor --fix` repairs some of these problems.")
    if problems:
        raise SystemExit(1)


def _examine(connection: Connection, target: Target) -> list[Problem]:
    found = examine_catalog(connection)
    found += lasting_problems(lambda: _examine_answers(connection, target))
    return sorted(found, key=lambda problem: problem.priority)


def _examine_answers(connection: Connection, target: Target) -> list[Problem]:
    try:
        found = list(examine_answers(connection, target))
        # The next examination needs a new snapshot.
        connection.rollback()
    except psycopg.Error as error:
        raise TenantryError(
            f"The examination lost its connection to the database: {error}"
        ) from error
    return found


def _repair(
    connection: Connection, problems: list[Problem], forget_missing: bool = False
) -> list[_Outcome]:
    """Runs each repair in its own transaction, so that a failing repair stops no other."""
    outcomes: list[_Outcome] = []
    errors: dict[str, str | None] = {}
    for problem in sorted(problems, key=lambda each: each.priority):
        if not _may_repair(problem, forget_missing):
            continue
        texts = "\n".join(each.as_string(connection) for each in problem.repair)
        if texts not in errors:
            # Several problems of one table share one repair.
            errors[texts] = _attempt(connection, problem)
        outcomes.append(_Outcome(problem, errors[texts]))
    connection.execute("notify pgrst, 'reload config'")
    connection.execute("notify pgrst")
    connection.commit()
    return outcomes


def _may_repair(problem: Problem, forget_missing: bool) -> bool:
    return bool(problem.repair) and (forget_missing or not problem.is_final)


def _attempt(connection: Connection, problem: Problem) -> str | None:
    """The error of the database, or None."""
    try:
        with connection.transaction():
            for statement in problem.repair:
                connection.execute(statement)
    except psycopg.OperationalError as error:
        if connection.closed:
            raise TenantryError(
                f"The repair lost its connection to the database: {error}"
            ) from error
        return str(error)
    except psycopg.Error as error:
        return str(error)
    return None


def _settled(connection: Connection, target: Target) -> list[Problem]:
    """The problems that remain after PostgREST has read its settings again."""
    problems: list[Problem] = []
    is_announced = False

    def is_settled() -> bool:
        nonlocal problems, is_announced
        problems = _examine(connection, target)
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
