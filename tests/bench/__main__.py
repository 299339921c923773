"""`python -m tests.bench`: measures everything and writes the table, JSON and pictures."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tenantry_cli.emulator.stack import Stack
from tenantry_cli.project import find_project

from . import data_api, functions, lifecycle, peer, plots, reads
from .databases import new_database
from .results import Results

_FEW = 10
_WIDTH = 190


@click.command()
@click.option(
    "--tenants",
    default="10,100,1000,3000",
    show_default=True,
    help="Sizes at which the growing database is compared with the one of ten tenants.",
)
@click.option("--rounds", default=7, show_default=True, help="Rounds of each comparison.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the JSON and the pictures go; .tenantry/bench unless given.",
)
@click.option(
    "--by-processor",
    is_flag=True,
    help="Time SQL by the processor time of its session, on a machine with other load.",
)
@click.option(
    "--only",
    multiple=True,
    help="Only this part: import, function, script, audit, large, migrations, peer, read, growth,"
    " api or memory; may be repeated.",
)
def main(
    tenants: str, rounds: int, output: Path | None, by_processor: bool, only: tuple[str, ...]
) -> None:
    """Measures what Tenantry costs, on a temporary emulator."""
    # A file or a pipe has no width. The table needs more than the 80 columns that rich assumes.
    console = Console() if sys.stdout.isatty() else Console(width=_WIDTH)
    sizes = sorted(int(size) for size in tenants.split(","))
    output = output or find_project().state / "bench"
    output.mkdir(parents=True, exist_ok=True)
    results = Results()
    begun = time.monotonic()

    def wanted(part: str) -> bool:
        return not only or part in only

    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )
    with ExitStack() as running, progress:
        steps: list[tuple[float, str]] = []

        def step(description: str) -> None:
            steps.append((time.monotonic() - begun, description.strip()))
            progress.console.print(f"{steps[-1][0]:6.0f} s  {description}")

        whole = progress.add_task("All", total=len(sizes) + 9)
        step("starting an emulator")
        stack = running.enter_context(Stack.start(port=None, ephemeral=True))
        few = running.enter_context(new_database(stack, "few", by_processor))
        few.grow(_FEW, lambda _: None)

        def part(name: str, description: str) -> bool:
            progress.advance(whole)
            if wanted(name):
                step(description)
            return wanted(name)

        if part("import", "10  cold imports"):
            functions.measure_imports(results, rounds)
        if part("function", "9   a function call"):
            functions.measure_calls(results, stack, rounds)
        if part("script", "2   against a hand-written script"):
            lifecycle.measure_script(results, few, rounds)
        if part("pool", "14  taking a tenant from the pool"):
            lifecycle.measure_pool(results, few, rounds)
        if part("audit", "12  audited updates"):
            lifecycle.measure_audit(results, few, rounds)
        if part("large", "4   a tenant of 300 tables"):
            lifecycle.measure_large_tenant(results, few, rounds)
        if part("migrations", "13  thirty tenant migrations"):
            with (
                new_database(stack, "thirty", by_processor) as thirty,
                new_database(stack, "one", by_processor) as single,
            ):
                lifecycle.measure_migrations(results, thirty, single, rounds)
        if part("peer", "3   django-tenants"):
            peer.measure(results, stack, few, rounds)
        if part("read", "7   reads and inserts through the layers, and other designs"):
            reads.measure(results, few, rounds)
        if wanted("growth") or wanted("api") or wanted("memory"):
            many = running.enter_context(new_database(stack, "many", by_processor))
            for size in sizes:
                progress.advance(whole)
                step(f"growing to {size:,} tenants")
                growing = progress.add_task(f"  growing to {size:,}", total=size)
                progress.update(growing, completed=len(many.names()))
                many.grow(size, lambda n, task=growing: progress.advance(task, n))  # type: ignore[misc]
                progress.remove_task(growing)
                if wanted("growth"):
                    step(f"1 4 5 6  with {size:,} tenants")
                    lifecycle.measure_growth(results, many, few, rounds, size == sizes[-1])
                if wanted("api"):
                    step(f"8   create to first 200 with {size:,} tenants")
                    data_api.measure_first_reply(
                        results, many, few, max(5, rounds - 2), size == sizes[-1]
                    )
            if wanted("memory"):
                step("11  memory of a connection")
                data_api.measure_memory(results, many, min(1000, sizes[-1]))
        step("writing")
    if by_processor:
        results.remarks.append("SQL alone was timed by the processor time of its session.")
    ends = [started for started, _ in steps[1:]]
    results.remarks.append(
        f"{time.monotonic() - begun:.0f} s in all: "
        + ", ".join(
            f"{end - started:.0f} s {description}"
            for (started, description), end in zip(steps, ends, strict=False)
        )
    )
    results.remarks.extend(results.misses())
    results.write_json(output / "bench.json")
    (output / "bench.md").write_text(results.markdown())
    pictures = plots.draw(results, output)
    console.print(results.table())
    for remark in results.remarks:
        console.print(remark)
    console.print(f"Wrote bench.json, bench.md and {len(pictures)} pictures to {output}.")


main()
