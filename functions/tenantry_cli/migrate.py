"""`tenantry migrate`: migrates every tenant to the latest version and reports failures."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from tenantry_cli.data_api import (
    PAGE_SIZE,
    DataApi,
    UnansweredError,
    project_and_database_options,
)
from tenantry_cli.errors import as_sentence
from tenantry_cli.roll_out import Failure, Report, RollOut
from tenantry_cli.signals import INTERRUPTED, terminated_like_ctrl_c

if TYPE_CHECKING:
    from tenantry_cli.phase_session import PhaseSession

_CTRL_C = "It was interrupted"


@click.command()
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="Tenants migrated at once.",
)
@click.option(
    "--canary",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Migrate N tenants first, in the order of their names; stop if one fails.",
)
@click.option("--tenant", "only", multiple=True, help="Only this tenant; may be repeated.")
@click.option(
    "--dry-run", is_flag=True, help="List the tenants that are behind; change nothing."
)
@click.option("--retry-failed", is_flag=True, help="Try tenants that failed before, too.")
@click.option("--stop-on-error", is_flag=True, help="Start no other tenant after a failure.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON.")
@project_and_database_options
@click.pass_context
def migrate(
    context: click.Context,
    workers: int,
    canary: int,
    only: tuple[str, ...],
    dry_run: bool,
    retry_failed: bool,
    stop_on_error: bool,
    as_json: bool,
    api: DataApi,
    db_url: str | None,
) -> None:
    """Migrate every tenant to the latest version of the template.

    An interrupted run can be repeated: a tenant has received each migration completely or not
    at all, and receives none twice. Of a backfill, the batches that were done stay. Migrations
    that are registered during the run are applied, too. Exits 0 if no tenant is behind, 1 if
    one still is, and 130 after Ctrl-C. A dry run exits 0.
    """
    status = api.call("get_migration_status")
    # The Supabase CLI does not show the warnings that the push of a migration has raised.
    for table in status.get("unreachable_tables", ()):
        click.echo(
            f'Warning: no signed-in user can reach table "{table}" of the template. Unless '
            "that is meant so, enable row level security on it and write a permissive policy "
            "to authenticated.",
            err=True,
        )
    for warning in status.get("warnings", ()):
        click.echo(f"Warning: {warning}", err=True)
    report = Report(status["latest_version"], status["tenant_count"])
    behind = _chosen(api, only) if status["behind"] or status["pooled_behind"] else []
    for name in {*only} - {tenant["schema_name"] for tenant in behind}:
        # The tenant is up to date, or does not exist; then this call reports the error.
        api.call("check_tenant_status", schema_name=name)
    pooled = {tenant["schema_name"] for tenant in behind if tenant["is_pooled"]}
    # A tenant that is named is tried again even if it failed before.
    failed_before = [] if retry_failed or only else [t for t in behind if t["sqlstate"]]
    report.skipped = [
        Failure(t["schema_name"], t["next_version"], t["sqlstate"], t["message"])
        for t in failed_before
    ]
    names = [t["schema_name"] for t in behind if t not in failed_before]

    if dry_run:
        report.not_started = names
        _show_plan(report, behind, as_json)
        return

    console = Console(stderr=True, highlight=False)
    session = _session(db_url) if db_url else None
    run = RollOut(api, session, report, workers, stop_on_error, console)
    with terminated_like_ctrl_c():
        try:
            run.run(names, canary)
            # Others may have registered a migration meanwhile.
            while not run.has_stopped and _is_outdated(api, report):
                run.run(_left(api, only, report), canary)
        except KeyboardInterrupt:
            report.ended_by = _CTRL_C
        except UnansweredError as error:
            report.ended_by = str(error)
        finally:
            if session is not None:
                session.close()
    if as_json:
        click.echo(json.dumps(asdict(report), indent=2))
    else:
        _show(Console(highlight=False), report, only, pooled)
    if not report.is_complete:
        context.exit(INTERRUPTED if report.ended_by == _CTRL_C else 1)


def _session(db_url: str) -> PhaseSession:
    from tenantry_cli.phase_session import PhaseSession

    return PhaseSession(db_url)


def _chosen(api: DataApi, only: Sequence[str]) -> list[dict[str, Any]]:
    chosen = [
        tenant for tenant in tenants_behind(api) if not only or tenant["schema_name"] in only
    ]
    # A canary has to be a tenant with rows, so the pool comes last.
    return sorted(chosen, key=lambda tenant: bool(tenant["is_pooled"]))


def _is_outdated(api: DataApi, report: Report) -> bool:
    """Whether the latest version has changed since the report took it, which it now does."""
    before = report.latest_version
    status = api.call("get_migration_status")
    report.latest_version, report.tenants = status["latest_version"], status["tenant_count"]
    return before != report.latest_version


def _left(api: DataApi, only: Sequence[str], report: Report) -> list[str]:
    """The tenants that are behind and neither failed in this run nor before it."""
    tried = {failure.schema_name for failure in (*report.failed, *report.skipped)}
    return [
        tenant["schema_name"]
        for tenant in _chosen(api, only)
        if tenant["schema_name"] not in tried and not tenant["sqlstate"]
    ]


def tenants_behind(api: DataApi) -> Iterator[dict[str, Any]]:
    last = None
    while page := api.call("list_tenants_behind", after_schema_name=last, page_size=PAGE_SIZE):
        yield from page
        last = page[-1]["schema_name"]


def _show_plan(report: Report, behind: Sequence[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(report), indent=2))
        return
    console = Console(highlight=False)
    for tenant in behind:
        failed = tenant["schema_name"] not in report.not_started
        console.print(
            f"{tenant['schema_name']}: {tenant['schema_version']} → {report.latest_version}, "
            f"{tenant['pending']} to apply"
            + (", skipped because it failed before" if failed else ""),
            markup=False,
            soft_wrap=True,
        )
    console.print(
        f"{_counted(len(report.not_started), 'tenant')} would be migrated."
        if report.not_started
        else "No tenant would be migrated."
    )


def _show(
    console: Console, report: Report, only: Sequence[str], pooled: Collection[str]
) -> None:
    if report.ended_by:
        console.print(
            f"The run has ended early: {as_sentence(report.ended_by)} Run the command again."
        )
    if report.is_complete and not (report.migrated or report.deleted):
        if not only and not report.tenants:
            console.print("Nothing to do: there is no tenant.")
            return
        everybody = (
            f"{_counted(len({*only}), 'given tenant', 'is', 'are')}"
            if only
            else "the one tenant is"
            if report.tenants == 1
            else f"all {_counted(report.tenants, 'tenant', 'is', 'are')}"
        )
        console.print(f"Nothing to do: {everybody} at {report.latest_version}.")
        return
    of_pool = sum(name in pooled for name in report.migrated)
    console.print(
        f"{_counted(len(report.migrated) - of_pool, 'tenant')}"
        + (f" and {of_pool} of the pool" if of_pool else "")
        + f" {'is' if len(report.migrated) == 1 else 'are'} now at "
        f"{report.latest_version} ({_counted(report.migrations_applied, 'migration')} in "
        f"{report.seconds:.1f} s)."
        if report.migrated
        else f"No tenant was migrated to {report.latest_version}."
    )
    if report.deleted:
        console.print(
            f"{_counted(len(report.deleted), 'tenant', 'was', 'were')} deleted in the meantime."
        )
    if report.not_started:
        console.print(
            f"{_counted(len(report.not_started), 'tenant', 'was', 'were')} not started or not "
            "finished."
        )
    if report.failed:
        changed = sum(failure.rows_changed for failure in report.failed)
        console.print(
            f"{_counted(len(report.failed), 'tenant')} failed; "
            + (
                f"backfills had changed {_counted(changed, 'row')} there before, and go on "
                "from that place:"
                if changed
                else "nothing was changed there:"
            )
        )
        console.print(_table(report.failed))
    if report.skipped:
        console.print(
            f"{_counted(len(report.skipped), 'tenant', 'was', 'were')} left out because of an "
            "earlier failure; --retry-failed tries again:"
        )
        console.print(_table(report.skipped))


def _counted(number: int, what: str, verb_of_one: str = "", verb_of_many: str = "") -> str:
    is_one = number == 1
    verb = verb_of_one if is_one else verb_of_many
    return f"{number} {what if is_one else f'{what}s'}{verb and f' {verb}'}"


def _table(failures: Iterable[Failure]) -> Table:
    # The name is not folded, so that it can be copied.
    table = Table(
        Column("tenant", no_wrap=True), "version", "SQLSTATE", "reason", "rows changed"
    )
    for failure in sorted(failures, key=lambda failure: failure.schema_name):
        table.add_row(
            *(Text(str(value or "-"), overflow="fold") for value in asdict(failure).values())
        )
    return table
