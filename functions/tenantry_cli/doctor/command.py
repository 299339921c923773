"""`tenantry doctor`."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

import click
import psycopg
from rich.console import Console
from rich.markup import escape

from tenantry_cli.doctor.answers import KINDS, examine_answers
from tenantry_cli.doctor.catalog import connect, examine_catalog
from tenantry_cli.doctor.problem import Connection, Problem, lasting
from tenantry_cli.errors import TenantryError
from tenantry_cli.target import Target, target_options

# PostgREST needs a moment to read its settings again.
_SETTLING_SECONDS = 30
# Between two looks at it.
_PAUSE_SECONDS = 0.2


@dataclass(frozen=True)
class Outcome:
    """What became of one problem's repair."""

    problem: Problem
    # The database's own words, where it refused.
    error: str | None = None


@click.command()
@click.option("--fix", is_flag=True, help="Repair what can be, in the safe order.")
@click.option(
    "--forget-missing",
    is_flag=True,
    help="With --fix: also remove tenants whose schema is missing, for good.",
)
@click.option("--json", "as_json", is_flag=True, help="Print problems as JSON.")
@target_options
def doctor(target: Target, fix: bool, forget_missing: bool, as_json: bool) -> None:
    """Say what is wrong in the database; repair it with --fix.

    Compares registry, schemas, grants, policies and settings. It needs the database URL.
    Exit code 0: all is well; 1: something is not.
    """
    console = Console(highlight=False, soft_wrap=True)
    if target.db_url is None:
        raise TenantryError(
            "The doctor sees privileges and policies: give --db-url (or SUPABASE_DB_URL) too."
        )
    if forget_missing and not fix:
        raise TenantryError("--forget-missing says what --fix may do: give --fix too.")
    outcomes: list[Outcome] = []
    with connect(target.db_url) as connection:
        problems = examine(connection, target)
        if fix and problems:
            outcomes = repair(connection, problems, forget_missing)
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
            console.print(f"[red]{escape(problem.sentence)}[/]\n    {escape(problem.cure)}")
            if error := error_of(problem):
                console.print(f"    Not repaired: {escape(error)}")
        if not problems:
            console.print("All is well.")
        elif not fix and any(_may_repair(problem, forget_missing) for problem in problems):
            console.print("`tenantry doctor --fix` repairs what it can.")
    if problems:
        raise SystemExit(1)


def examine(connection: Connection, target: Target) -> list[Problem]:
    found = examine_catalog(connection)
    found += lasting(lambda: _examine_answers(connection, target))
    return sorted(found, key=lambda problem: problem.turn)


def _examine_answers(connection: Connection, target: Target) -> list[Problem]:
    try:
        found = list(examine_answers(connection, target))
        # The next look is at what is there by then.
        connection.rollback()
    except psycopg.Error as error:
        raise TenantryError(f"The database went away while it was examined: {error}") from error
    return found


def repair(
    connection: Connection, problems: list[Problem], forget_missing: bool = False
) -> list[Outcome]:
    """Each in a transaction of its own, so that one that fails keeps none from the others."""
    outcomes: list[Outcome] = []
    errors: dict[str, str | None] = {}
    for problem in sorted(problems, key=lambda each: each.turn):
        if not _may_repair(problem, forget_missing):
            continue
        texts = "\n".join(each.as_string(connection) for each in problem.repair)
        if texts not in errors:
            # Many problems of one table have one repair.
            errors[texts] = _attempt(connection, problem)
        outcomes.append(Outcome(problem, errors[texts]))
    connection.execute("notify pgrst, 'reload config'")
    connection.execute("notify pgrst")
    connection.commit()
    return outcomes


def _may_repair(problem: Problem, forget_missing: bool) -> bool:
    return bool(problem.repair) and (forget_missing or not problem.is_final)


def _attempt(connection: Connection, problem: Problem) -> str | None:
    """The database's error, if it refused."""
    try:
        with connection.transaction():
            for statement in problem.repair:
                connection.execute(statement)
    except psycopg.OperationalError as error:
        if connection.closed:
            raise TenantryError(f"The database went away during repairs: {error}") from error
        return str(error)
    except psycopg.Error as error:
        return str(error)
    return None


def _settled(connection: Connection, target: Target) -> list[Problem]:
    """What is left once PostgREST has heard of it."""
    deadline = time.monotonic() + _SETTLING_SECONDS
    is_told = False
    while True:
        problems = examine(connection, target)
        # Nothing else mends itself.
        settling = any(problem.kind in KINDS for problem in problems)
        if not settling or time.monotonic() > deadline:
            return problems
        if not is_told:
            click.echo("Waiting until the Data API has read its settings again.", err=True)
            is_told = True
        time.sleep(_PAUSE_SECONDS)
