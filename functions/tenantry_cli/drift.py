"""`tenantry drift`: where tenants differ from the reference schema at their version."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import click
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from tenantry_cli.data_api import PAGE_SIZE, DataApi, RefusedError, project_options
from tenantry_cli.progress import progress_bar

# Longer texts are cut in the table: the body of a function would fill pages.
_LONGEST = 160
# Tenants compared in one request, which takes about a second on a busy machine.
_PART = 100
# An object may need one of an earlier kind, and privileges need all of them.
_ORDER = (
    *("column", "constraint", "index", "table", "routine", "view", "rule", "trigger"),
    *("policy", "grant"),
)


@click.command()
@click.option("--tenant", "only", multiple=True, help="Only this tenant; may be repeated.")
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="Tenants compared at once.",
)
@click.option("--json", "as_json", is_flag=True, help="The differences as JSON, by tenant.")
@click.option("--sql", "as_sql", is_flag=True, help="Only the SQL that repairs them.")
@project_options
@click.pass_context
def drift(
    context: click.Context,
    only: tuple[str, ...],
    workers: int,
    as_json: bool,
    as_sql: bool,
    api: DataApi,
) -> None:
    """Compare every tenant with the reference schema.

    Prints SQL that repairs what needs no decision. Exits 1 if a tenant differs.
    """
    console = Console(stderr=True, highlight=False)
    found = _named(api, only, workers) if only else _all(api, workers, console)
    differing = {name: rows for name, rows in found.items() if rows}
    if as_json:
        click.echo(json.dumps(differing, indent=2))
    elif as_sql:
        click.echo(_repairs(differing))
    else:
        _show(Console(highlight=False), len(found), differing)
    if differing:
        context.exit(1)


def _named(api: DataApi, names: Sequence[str], workers: int) -> dict[str, list[dict[str, Any]]]:
    with ThreadPoolExecutor(workers) as pool:
        compared = pool.map(lambda name: list(_differences(api, name)), names)
        return dict(zip(names, compared, strict=True))


def _all(api: DataApi, workers: int, console: Console) -> dict[str, list[dict[str, Any]]]:
    """The differences of each tenant. Only tenants that differ are asked for one by one."""

    def differences(row: dict[str, Any]) -> list[dict[str, Any]] | None:
        try:
            return list(_differences(api, row["schema_name"])) if row["has_drift"] else []
        except RefusedError as error:
            # A tenant may be deleted after it was listed.
            if error.code != "tenant_not_found":
                raise
            return None

    found: dict[str, list[dict[str, Any]]] = {}
    total = api.call("get_migration_status")["tenant_count"]
    with (
        progress_bar(console, is_shown=total > _PART) as progress,
        ThreadPoolExecutor(workers) as pool,
    ):
        task = progress.add_task("Comparing tenants", total=total)
        last = None
        while page := api.call("list_tenant_drift", after_schema_name=last, page_size=_PART):
            for row, rows in zip(page, pool.map(differences, page), strict=True):
                if rows is not None:
                    found[row["schema_name"]] = rows
            progress.advance(task, len(page))
            last = page[-1]["schema_name"]
            if not page[-1]["has_more"]:
                break
    return found


def _differences(api: DataApi, name: str) -> Iterator[dict[str, Any]]:
    cursor: dict[str, str] = {}
    while True:
        page = api.call("get_schema_drift", schema_name=name, page_size=PAGE_SIZE, **cursor)
        yield from page
        if len(page) < PAGE_SIZE:
            return
        cursor = {f"after_{key}": page[-1][key] for key in ("object_kind", "object_name")}


def _show(console: Console, total: int, differing: dict[str, list[dict[str, Any]]]) -> None:
    console.print(
        f"{total - len(differing)} of {total} tenants equal the reference schema."
        if total
        else "There is no tenant to compare with the reference schema."
    )
    if not differing:
        return
    table = Table(Column("tenant", no_wrap=True), "object", "difference", "expected", "found")
    for name, rows in differing.items():
        for row in rows:
            table.add_row(
                *(
                    Text(_cut(value or "-"), overflow="fold")
                    for value in (
                        name,
                        f"{row['object_kind']} {row['object_name']}",
                        row["difference"],
                        row["expected"],
                        row["found"],
                    )
                )
            )
    console.print(table)
    if any(
        len(row[side] or "") > _LONGEST
        for rows in differing.values()
        for row in rows
        for side in ("expected", "found")
    ):
        console.print("Long texts are cut at …; --json prints them in full.")
    if repairs := _repairs(differing):
        console.print(
            "This SQL repairs what needs no decision. Read it, and run it as postgres:"
        )
        console.print(repairs, markup=False, soft_wrap=True)


def _repairs(differing: dict[str, list[dict[str, Any]]]) -> str:
    """The statements of each tenant in one transaction, each statement once."""

    def place(row: dict[str, Any]) -> int:
        kind = row["object_kind"]
        return _ORDER.index(kind) if kind in _ORDER else 0

    blocks = []
    for name, rows in differing.items():
        statements = dict.fromkeys(
            row["repair"] for row in sorted(rows, key=place) if row["repair"]
        )
        if statements:
            # The audit follows from the columns, and the privileges follow from the policies.
            statements |= dict.fromkeys(
                f"select tenancy.{repair}('{name}');"
                for repair in ("refresh_audit_triggers", "apply_tenant_privileges")
            )
            blocks.append("\n".join([f"-- {name}", "begin;", *statements, "commit;"]))
    return "\n".join(blocks)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rstrip()} …"
