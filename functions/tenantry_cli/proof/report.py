"""The report of a run, for a person and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tenantry_cli.proof.attempts import Expected
from tenantry_cli.proof.campaign import Result
from tenantry_cli.proof.evidence import Finding, Verdict
from tenantry_cli.proof.identities import (
    COVERING_IDENTITIES,
    FORGED_IDENTITIES,
    JOINING_IDENTITIES,
    SIGNED_IDENTITIES,
    STANDARD_IDENTITIES,
)
from tenantry_cli.proof.joining import GROUP as JOINING
from tenantry_cli.proof.traces import GROUP as TRACKS

GROUPS = (
    "tables",
    "own rows",
    "hidden objects",
    "routines",
    "embedding",
    "headers",
    "API page",
    "registry",
    "RPCs",
    "functions",
    "past the guard",
    "permissions",
    JOINING,
    TRACKS,
)

# Known disclosures: what anybody can learn, and why.
_DISCLOSURES = (
    (
        "The names of all exposed schemas.",
        "PostgREST lists them in its 406 reply. Create tenants without a name to give them "
        "opaque names.",
    ),
    (
        "Whether a table of a given name exists.",
        "PostgREST answers OPTIONS before the guard runs. The reply has no row and no count.",
    ),
    (
        "Names of similar tables and columns.",
        "PostgREST before version 14.6 suggests them in the error for an unknown name.",
    ),
    (
        "The keys of deleted rows of a published table.",
        "Realtime sends DELETE events without checking policies. `tenantry doctor` reports "
        "tenant tables in a publication.",
    ),
)

_SHOWN_FINDINGS = 25
# Wider than every matrix.
_UNLIMITED_WIDTH = 1000


def show(result: Result, console: Console) -> None:
    matrix = _matrix(result)
    # A narrow table would cut its cells, and could hide a leak.
    unlimited = console.options.update(width=_UNLIMITED_WIDTH)
    if console.measure(matrix, options=unlimited).maximum > console.width:
        _list(result, console)
    else:
        console.print(matrix)
    console.print(
        "● allowed, as expected   ○ refused, as expected. Each kind of refusal has a positive "
        "control that succeeded.",
        style="dim",
    )
    for finding in result.findings[:_SHOWN_FINDINGS]:
        _show_finding(finding, console)
    if len(result.findings) > _SHOWN_FINDINGS:
        console.print(f"… and {len(result.findings) - _SHOWN_FINDINGS} more (see --json)")

    console.print("\n[bold]Known disclosures of the design[/]")
    for what, why in _DISCLOSURES:
        console.print(f"  {what} [dim]{escape(why)}[/]")
    for note in result.notes:
        console.print(f"  [yellow]{escape(note)}[/]")
    console.print(f"\n{_summary(result)}")


def as_json(result: Result) -> dict[str, Any]:
    return {
        "is_proved": result.is_proved,
        "attempts": result.attempts,
        "seconds": round(result.seconds, 1),
        "matrix": [
            {
                "identity": identity,
                "object": group,
                **{
                    expected.value: result.counts[(identity, group, expected)]
                    for expected in Expected
                },
            }
            for identity in _names()
            for group in GROUPS
        ],
        "findings": [
            asdict(finding) | {"verdict": finding.verdict.value} for finding in result.findings
        ],
        "disclosures": [{"what": what, "why": why} for what, why in _DISCLOSURES],
        "notes": result.notes,
    }


def _names() -> list[str]:
    return [
        identity.name
        for identity in (
            *STANDARD_IDENTITIES,
            *SIGNED_IDENTITIES,
            *FORGED_IDENTITIES,
            *JOINING_IDENTITIES,
            *COVERING_IDENTITIES,
        )
    ]


def _matrix(result: Result) -> Table:
    table = Table(title="Attempts by identity and object", title_justify="left", pad_edge=False)
    table.add_column("", no_wrap=True)
    for group in GROUPS:
        # One word per line, because the numbers below are short.
        table.add_column(group.replace(" ", "\n"), justify="right", no_wrap=True)
    for identity in _names():
        cells = [_cell(result, identity, group) for group in GROUPS]
        if any(cell.plain for cell in cells):
            table.add_row(identity, *cells)
    return table


def _list(result: Result, console: Console) -> None:
    """Prints the matrix with one line per cell."""
    console.print("Attempts by identity and object", style="italic")
    for identity in _names():
        for group in GROUPS:
            if cell := _cell(result, identity, group):
                console.print(Text.assemble(f"{identity}, {group}: ", cell))


def _cell(result: Result, identity: str, group: str) -> Text:
    found = [
        finding
        for finding in result.findings
        if (finding.identity, finding.group) == (identity, group)
    ]
    if leaks := [finding for finding in found if finding.verdict is Verdict.LEAK]:
        return Text(f"{len(leaks)} LEAKED", style="bold white on red")
    if found:
        return Text(f"{len(found)} failed", style="bold yellow")
    allowed = result.counts[(identity, group, Expected.ALLOWED)]
    refused = result.counts[(identity, group, Expected.REFUSED)]
    cell = Text()
    if allowed:
        cell.append(f"{allowed}●", style="green")
    if refused:
        cell.append(f"{' ' if allowed else ''}{refused}○", style="blue")
    return cell


def _show_finding(finding: Finding, console: Console) -> None:
    colour = {
        Verdict.LEAK: "red",
        Verdict.FAILED_CONTROL: "yellow",
        Verdict.CATALOG: "red",
        Verdict.UNTRACED: "red",
    }[finding.verdict]
    where = f" of tenant {finding.tenant}" if finding.tenant else ""
    who = f"{finding.identity}: " if finding.identity else ""
    console.print(
        f"\n[bold {colour}]{finding.verdict.value}[/] {escape(who)}"
        f"{escape(' '.join(filter(None, (finding.verb, finding.object))))}{where}: "
        f"{escape(finding.why)}",
        highlight=False,
    )
    if finding.request is not None:
        request = finding.request
        named = ", ".join(f"{name}: {value}" for name, value in request["headers"])
        lines = [f"{request['method']} {request['url']}", named]
        if request["body"] is not None:
            lines.append(str(request["body"]))
        if finding.status is not None:
            lines.append(f"→ {finding.status} {finding.excerpt}")
        for line in filter(None, lines):
            console.print(f"    {escape(line)}", style="dim", highlight=False)
    if finding.remediation:
        console.print(f"    Remediation: {escape(finding.remediation)}", highlight=False)


def _summary(result: Result) -> str:
    counted = f"{result.attempts:,} attempts in {result.seconds:.0f} s"
    if result.is_proved:
        return f"[bold green]Proved: {counted}, no leak.[/]"
    verdicts = [
        f"{len(result.with_verdict(verdict))} {verdict.value}"
        for verdict in Verdict
        if result.with_verdict(verdict)
    ]
    return f"[bold red]Not proved: {counted}, {', '.join(verdicts)}.[/]"
