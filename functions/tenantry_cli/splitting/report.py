"""The result of a split, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

import click
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from tenantry_cli.errors import as_sentence
from tenantry_cli.splitting.plan import Finding, Plan, Unmatched


@dataclass
class Part:
    """The rows of one tenant in one table."""

    table: str
    # In the source: when the run began, then when they were verified.
    rows: int
    # "copying", "copied", "verified"; null if the run did not come that far.
    state: str | None = None
    # By all runs.
    rows_copied: int = 0
    clashing: int = 0
    changed: int = 0
    changed_columns: list[str] = field(default_factory=list)
    # Copies that stay although the source has lost their rows.
    kept: int = 0
    checksum: str | None = None
    deleted: int = 0
    # Rows that the deletion left in the source; null if there was none.
    left: int | None = None


@dataclass
class Result:
    """What has become of one tenant's rows."""

    schema_name: str
    value: str
    tables: list[Part]
    error: str | None = None

    @property
    def is_verified(self) -> bool:
        return all(part.state == "verified" for part in self.tables)


@dataclass
class Report:
    """The result of a run; its fields are the keys of `--json`."""

    tables: list[str]
    findings: list[Finding]
    unmatched: list[Unmatched]
    tenants: list[Result]
    seconds: float = 0
    # Why the run ended early.
    ended_by: str | None = None

    @classmethod
    def of(cls, plan: Plan) -> Report:
        return cls(
            plan.tables,
            plan.findings,
            plan.unmatched,
            [
                Result(
                    share.schema_name,
                    share.value,
                    [Part(table, rows) for table, rows in share.rows.items()],
                )
                for share in plan.shares
            ],
        )

    @property
    def failed(self) -> list[Result]:
        return [result for result in self.tenants if result.error]


def show_json(report: Report) -> None:
    click.echo(json.dumps(asdict(report), indent=2))


def show_plan(console: Console, report: Report, *, can_leave: bool) -> None:
    """What would be done, or why nothing was."""
    _show_findings(console, report.findings)
    _show_unmatched(console, report.unmatched)
    _show_counts(console, report)
    if any(not finding.is_warning for finding in report.findings):
        console.print("The rows cannot be split. Nothing was changed.")
    elif report.unmatched and not can_leave:
        console.print(
            "Some rows belong to no tenant that can take them. Nothing was changed. Mend them, "
            "make the tenants with create_tenant_schema, or leave the rows where they are with "
            "--leave-unmatched.",
            soft_wrap=True,
        )
    else:
        console.print("The rows can be split. Nothing was changed.")


def show_warnings(console: Console, report: Report) -> None:
    _show_findings(console, [finding for finding in report.findings if finding.is_warning])


def show(console: Console, report: Report, *, deleted: bool) -> None:
    _show_unmatched(console, report.unmatched)
    _show_counts(console, report)
    for result in report.failed:
        console.print(
            f"{result.schema_name}: {result.error}", markup=False, soft_wrap=True, style="red"
        )
    for result in report.tenants:
        for part in result.tables:
            if part.kept:
                console.print(
                    f"{result.schema_name}: copies in {part.table} stay ({part.kept:,}), "
                    "although the source has lost these rows: the tenant has changed them, or "
                    "other rows reference them.",
                    markup=False,
                    soft_wrap=True,
                )
    verified = [result for result in report.tenants if result.is_verified]
    console.print(
        f"{len(verified)} of {len(report.tenants)} tenants are verified "
        f"({report.seconds:.1f} s).",
        soft_wrap=True,
    )
    if report.ended_by:
        console.print(
            f"The run has ended early: {as_sentence(report.ended_by)} Run the command again."
        )
    elif not report.tenants:
        console.print("Nothing to do: no row of these tables belongs to a tenant.")
    elif deleted and any(part.left for result in report.tenants for part in result.tables):
        console.print(
            "Rows are left in the source: they have come since the verification, or other rows "
            "reference them, or a trigger keeps them. Run the command again.",
            soft_wrap=True,
        )
    elif not (deleted or report.failed):
        console.print(
            "The source still has its rows. When nothing writes it any more, run the command "
            "again, and then with --delete-source.",
            soft_wrap=True,
        )


def _show_findings(console: Console, findings: Iterable[Finding]) -> None:
    for finding in findings:
        console.print(
            f"{finding.kind} {finding.object}: {finding.detail}\n  {finding.remediation}",
            markup=False,
            soft_wrap=True,
        )


def _show_unmatched(console: Console, unmatched: Iterable[Unmatched]) -> None:
    for rows in unmatched:
        console.print(
            f"{rows.table}: rows with {rows.value or 'no value'}: {rows.rows:,}. {rows.reason}",
            markup=False,
            soft_wrap=True,
        )


def _show_counts(console: Console, report: Report) -> None:
    if not report.tenants:
        return
    table = Table(
        Column("table", no_wrap=True),
        Column("tenants", justify="right"),
        Column("rows", justify="right"),
        Column("copied", justify="right"),
        Column("verified", justify="right"),
        Column("deleted", justify="right"),
        Column("left", justify="right"),
    )
    for name in report.tables:
        parts = [
            part for result in report.tenants for part in result.tables if part.table == name
        ]
        counts = (
            sum(part.rows > 0 for part in parts),
            sum(part.rows for part in parts),
            sum(part.rows_copied for part in parts),
            sum(part.rows for part in parts if part.state == "verified"),
            sum(part.deleted for part in parts),
            sum(part.left or 0 for part in parts),
        )
        table.add_row(Text(name), *(f"{count:,}" for count in counts))
    console.print(table)
