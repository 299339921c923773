"""The command `tenantry split`."""

from __future__ import annotations

import time

import click
import psycopg
from rich.console import Console

from tenantry_cli.database import open_database
from tenantry_cli.errors import TenantryError
from tenantry_cli.progress import progress_bar
from tenantry_cli.signals import INTERRUPTED, terminated_like_ctrl_c
from tenantry_cli.splitting.plan import Database, Mapping, Plan, make_plan
from tenantry_cli.splitting.report import Report, show, show_json, show_plan, show_warnings
from tenantry_cli.splitting.run import Options, Run
from tenantry_cli.target import database_options

_CTRL_C = "It was interrupted"


@click.command()
@click.argument("tables", metavar="TABLE…", nargs=-1, required=True)
@click.option(
    "--by", "column", required=True, metavar="COLUMN", help="The column that names the tenant."
)
@click.option(
    "--tenants-from",
    metavar="'TABLE(KEY, NAME)'",
    help="A table with the values of COLUMN and the schema names, if a value is neither a "
    "tenant's id nor its schema name.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be done; change nothing.")
@click.option(
    "--batch-size",
    type=click.IntRange(1, 100_000),
    default=5000,
    show_default=True,
    metavar="N",
    help="Rows in one transaction.",
)
@click.option("--leave-unmatched", is_flag=True, help="Leave rows that no tenant can take.")
@click.option("--copy-only", is_flag=True, help="Leave the verification to a later run.")
@click.option(
    "--accept-changes",
    is_flag=True,
    help="Accept copies that triggers or the tenant have changed or deleted.",
)
@click.option("--delete-source", is_flag=True, help="Then delete the verified rows.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON.")
@database_options
@click.pass_context
def split(
    context: click.Context,
    tables: tuple[str, ...],
    column: str,
    tenants_from: str | None,
    dry_run: bool,
    batch_size: int,
    leave_unmatched: bool,
    copy_only: bool,
    accept_changes: bool,
    delete_source: bool,
    as_json: bool,
    db_url: str,
) -> None:
    """Move the rows of shared tables into the tenants' own tables.

    Each TABLE, such as public.orders, has a table of the same name in the template. The rows
    of each tenant are copied in batches, and then compared while writers of TABLE wait. TABLE
    keeps its rows until --delete-source. A stopped run can be repeated and goes on. Exits 1 if
    something is in the way or a tenant failed, and 130 after Ctrl-C.
    """
    if copy_only and delete_source:
        raise click.UsageError("Give either --copy-only or --delete-source.")
    mapping = Mapping.parse(tenants_from) if tenants_from is not None else None
    with open_database(db_url, autocommit=True) as database:
        try:
            plan = _plan(database, tables, column, mapping, deleting=delete_source)
        except psycopg.Error as error:
            raise _failed(error) from error
        report = Report.of(plan)
        is_refused = bool(plan.refused or (plan.unmatched and not leave_unmatched))
        if not (dry_run or is_refused):
            # Before a long run, and not at its end.
            show_warnings(Console(stderr=True, highlight=False), report)
            options = Options(column, batch_size, accept_changes, not copy_only, delete_source)
            _run(database, plan, report, options)
    console = Console(highlight=False)
    if as_json:
        show_json(report)
    elif dry_run or is_refused:
        show_plan(console, report, can_leave=leave_unmatched)
    else:
        show(console, report, deleted=delete_source)
    if report.ended_by == _CTRL_C:
        context.exit(INTERRUPTED)
    if is_refused or report.failed or report.ended_by:
        context.exit(1)


def _plan(
    database: Database,
    tables: tuple[str, ...],
    column: str,
    mapping: Mapping | None,
    *,
    deleting: bool,
) -> Plan:
    # All names are shown with their schemas. A batch limits itself; counting takes its time.
    database.execute(
        "select set_config('search_path', '', false),"
        " set_config('statement_timeout', '0', false)"
    )
    found = database.execute(
        "select to_regclass('tenancy.tenants_splits') is not null"
    ).fetchone()
    if found != (True,):
        raise TenantryError(
            "This database has no Tenantry, or an older one. Run `tenantry init` or `tenantry "
            "upgrade` in the folder of your project, and push the migrations."
        )
    return make_plan(database, tables, column, mapping, deleting=deleting)


def _run(database: Database, plan: Plan, report: Report, options: Options) -> None:
    console = Console(stderr=True, highlight=False)
    started = time.monotonic()
    with terminated_like_ctrl_c():
        try:
            with progress_bar(console, is_shown=bool(plan.shares)) as progress:
                task = progress.add_task("Rows", total=plan.rows)

                def show_progress(rows: int, done: int) -> None:
                    tenants = f"{done}/{len(plan.shares)} tenants, rows"
                    progress.update(task, advance=rows, description=tenants)

                Run(database, report, options, show_progress).run()
        except KeyboardInterrupt:
            report.ended_by = _CTRL_C
        except TenantryError as error:
            report.ended_by = str(error)
    report.seconds = round(time.monotonic() - started, 3)


def _failed(error: psycopg.Error) -> TenantryError:
    reason = error.diag.message_primary or str(error).strip()
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        reason += ". Give a --db-url with the role postgres, which owns Tenantry"
    return TenantryError(f"{reason}.")
