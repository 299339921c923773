"""`tenantry doctor`."""

from __future__ import annotations

import json
import time

import click
import psycopg
from rich.console import Console
from rich.markup import escape

from tenantry_cli.doctor.answers import examine_answers
from tenantry_cli.doctor.catalog import connect, examine_catalog
from tenantry_cli.doctor.problem import Connection, Problem
from tenantry_cli.errors import TenantryError
from tenantry_cli.target import Target, target_options

# PostgREST needs a moment to read its settings again.
_SETTLING_SECONDS = 30


@click.command()
@click.option("--fix", is_flag=True, help="Repair what can be, in the safe order.")
@click.option("--json", "as_json", is_flag=True, help="Print problems as JSON.")
@target_options
def doctor(target: Target, fix: bool, as_json: bool) -> None:
    """Compare registry, schemas, grants, policies and settings, and say what is wrong.

    It needs the database URL. Exit code 0: all is well; 1: something is not.
    """
    console = Console(highlight=False, soft_wrap=True)
    if target.db_url is None:
        raise TenantryError(
            "The doctor sees privileges and policies: give --db-url (or SUPABASE_DB_URL) too."
        )
    with connect(target.db_url) as connection:
        problems = examine(connection, target)
        repaired: list[Problem] = []
        if fix and problems:
            repaired = repair(connection, problems)
            problems = _settled(connection, target)
    if as_json:
        report = {
            "problems": [problem.as_json() for problem in problems],
            "repaired": [problem.as_json() for problem in repaired],
        }
        click.echo(json.dumps(report, indent=2))
    else:
        for problem in repaired:
            console.print(f"[green]repaired[/] {escape(problem.sentence)}")
        for problem in problems:
            console.print(f"[red]{escape(problem.sentence)}[/]\n    {escape(problem.cure)}")
        if not problems:
            console.print("All is well.")
        elif not fix and any(problem.repair for problem in problems):
            console.print("`tenantry doctor --fix` repairs what it can.")
    if problems:
        raise SystemExit(1)


def examine(connection: Connection, target: Target) -> list[Problem]:
    found = examine_catalog(connection) + list(examine_answers(connection, target))
    connection.rollback()
    return sorted(found, key=lambda problem: problem.turn)


def repair(connection: Connection, problems: list[Problem]) -> list[Problem]:
    """Each in a transaction of its own, so that one that fails keeps none from the others."""
    done: list[Problem] = []
    statements: set[str] = set()
    for problem in sorted(problems, key=lambda each: each.turn):
        texts = "\n".join(each.as_string(connection) for each in problem.repair)
        if not texts:
            continue
        if texts not in statements:
            # Many problems of one table have one repair.
            statements.add(texts)
            try:
                with connection.transaction():
                    for statement in problem.repair:
                        connection.execute(statement)
            except psycopg.Error:
                continue
        done.append(problem)
    connection.execute("notify pgrst, 'reload config'")
    connection.execute("notify pgrst")
    connection.commit()
    return done


def _settled(connection: Connection, target: Target) -> list[Problem]:
    """What is left once PostgREST has heard of it."""
    deadline = time.monotonic() + _SETTLING_SECONDS
    while True:
        problems = examine(connection, target)
        if not problems or any(problem.repair for problem in problems):
            return problems
        if time.monotonic() > deadline:
            return problems
