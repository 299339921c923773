"""`tenantry tenants`: the tenants with their version, size and last activity."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import click
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from tenantry_cli.data_api import PAGE_SIZE, DataApi, project_options

_COLUMNS = (
    *("schema_name", "display_name", "created_at", "status", "schema_version", "bytes"),
    "last_activity_at",
)
_UNITS = ("bytes", "KB", "MB", "GB", "TB")
# The heading of the column.
_SIZE = "size"
# What a program needs for the next page, and nobody else.
_PAGING = ("cursor", "total_count")
# Output that is no terminal has no width of its own, and 80 columns would fold every row.
_WIDTH = 240


@click.command()
@click.option("--search", metavar="TEXT", help="Only names that contain this text.")
@click.option("--status", type=click.Choice(["active", "suspended"]), help="Only these.")
@click.option(
    "--sort",
    type=click.Choice((*_COLUMNS, _SIZE)),
    default="schema_name",
    show_default=True,
    help="What to sort by.",
)
@click.option("--descending", is_flag=True, help="The largest, latest or last one first.")
@click.option("--most", type=click.IntRange(1), metavar="N", help="At most N tenants.")
@click.option("--json", "as_json", is_flag=True, help="The tenants as JSON.")
@project_options
def tenants(
    search: str | None,
    status: str | None,
    sort: str,
    descending: bool,
    most: int | None,
    as_json: bool,
    api: DataApi,
) -> None:
    """List the tenants, all of them or those that are searched for.

    A size is that of the last VACUUM or ANALYZE of each table. The last activity is when a user
    or the service key last changed an audited row, or a member signed in by
    ensure_user_profile, to within five minutes.
    """
    wanted = {"search": search, "status": status}
    sort = "bytes" if sort == _SIZE else sort
    order = f"{sort}.desc" if descending else sort
    rows = list(islice(_rows(api, wanted | {"sort": order}, most or PAGE_SIZE), most))
    total = rows[0]["total_count"] if rows else 0
    shown = [{name: row[name] for name in row if name not in _PAGING} for row in rows]
    if as_json:
        click.echo(json.dumps(shown, indent=2))
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH)
    if shown:
        console.print(_table(shown))
        console.print(f"{len(shown):,} of {_counted(total)}.")
    else:
        console.print("No tenant matches." if search or status else "There is no tenant.")


def _rows(api: DataApi, arguments: dict[str, Any], most: int) -> Iterator[dict[str, Any]]:
    size, after = min(most, PAGE_SIZE), None
    while True:
        page = api.call("list_tenants", **arguments, page_size=size, after=after)
        yield from page
        if len(page) < size:
            return
        after = page[-1]["cursor"]


def _table(rows: list[dict[str, Any]]) -> Table:
    # The name is not folded, so that it can be copied.
    table = Table(
        *(Column("tenant", no_wrap=True), "name", "status", "version"),
        *(Column("size", justify="right"), "last activity", "created"),
    )
    for row in rows:
        cells = (
            *(row["schema_name"], row["display_name"], row["status"], row["schema_version"]),
            *(_size(row["bytes"]), _moment(row["last_activity_at"])),
            _moment(row["created_at"]),
        )
        table.add_row(*(Text(cell, overflow="fold") for cell in cells))
    return table


def _size(count: int) -> str:
    """As the console shows it: 1 KB is 1,024 bytes."""
    step = 0
    while step < len(_UNITS) - 1 and count >= 1024 ** (step + 1):
        step += 1
    return f"{round(count / 1024**step):,} {_UNITS[step]}"


def _moment(time: str | None) -> str:
    return "-" if time is None else time[:16].replace("T", " ")


def _counted(number: int) -> str:
    return "1 tenant" if number == 1 else f"{number:,} tenants"
