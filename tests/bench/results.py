"""The results: each with its bar, as a table, as Markdown and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.table import Table

from .rounds import Series, ratio


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    number: int
    measured: str
    value: float
    spread: tuple[float, float] | None
    bar: float | None
    above: str
    below: str
    unit: str = ""

    @property
    def verdict(self) -> str:
        if self.bar is None:
            return "reported"
        return "holds" if self.value <= self.bar else "misses"


@dataclass
class Results:
    rows: list[Row] = field(default_factory=list)
    # measured → number of tenants → (series with many, series with few)
    growth: dict[str, dict[int, tuple[Series, Series]]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def ratio(
        self, number: int, measured: str, above: Series, below: Series, bar: float | None
    ) -> None:
        by_round = ratio(above, below)
        self.rows.append(
            Row(
                number,
                measured,
                by_round.median,
                by_round.spread,
                bar,
                _milliseconds(above.median),
                _milliseconds(below.median),
            )
        )

    def excess(
        self,
        number: int,
        measured: str,
        above: Series,
        floor: Series,
        below: Series,
        bar: float | None,
    ) -> None:
        """How much further one side is above the base than another one, as a share of the base."""
        by_round = Series(
            tuple(
                (a - f) / b
                for a, f, b in zip(above.rounds, floor.rounds, below.rounds, strict=True)
            )
        )
        self.rows.append(
            Row(
                number,
                measured,
                by_round.median,
                by_round.spread,
                bar,
                _milliseconds(above.median),
                _milliseconds(floor.median),
            )
        )

    def quantity(
        self, number: int, measured: str, value: float, unit: str, bar: float | None, note: str
    ) -> None:
        self.rows.append(Row(number, measured, value, None, bar, note, "", unit))

    def grown(self, measured: str, tenants: int, many: Series, few: Series) -> None:
        self.growth.setdefault(measured, {})[tenants] = (many, few)

    def table(self) -> Table:
        table = Table(title="What it costs")
        for heading in ("", "measured", "median", "spread", "bar", "", "above", "below"):
            # Only what is measured may wrap.
            table.add_column(heading, no_wrap=heading != "measured")
        for row in self._sorted():
            table.add_row(*_cells(row), style=_STYLES[row.verdict])
        return table

    def markdown(self) -> str:
        """The rows as `tests/README.md` shows them."""
        lines = [
            "| | measured | median | rounds | target | |",
            "|--:|---|--:|---|--:|---|",
            *(_line(row) for row in self._sorted()),
        ]
        return "\n".join(lines) + "\n"

    def misses(self) -> list[str]:
        """A sentence for each row that misses its target."""
        return [
            f"Misses its target: {row.measured}: {row.value:.2f}{row.unit}, target"
            f" ≤ {row.bar:g}{row.unit}."
            for row in self._sorted()
            if row.verdict == "misses"
        ]

    def write_json(self, path: Path) -> None:
        growth = {
            measured: {
                tenants: {"many_seconds": many.rounds, "few_seconds": few.rounds}
                for tenants, (many, few) in sizes.items()
            }
            for measured, sizes in self.growth.items()
        }
        rows = [asdict(row) | {"verdict": row.verdict} for row in self._sorted()]
        report = {"rows": rows, "growth": growth, "remarks": self.remarks}
        path.write_text(json.dumps(report, indent=2) + "\n")

    def _sorted(self) -> list[Row]:
        return sorted(self.rows, key=lambda row: row.number)


_STYLES = {"holds": "green", "misses": "red", "reported": ""}


def _cells(row: Row) -> list[str]:
    spread = "" if row.spread is None else f"{row.spread[0]:.2f} to {row.spread[1]:.2f}"
    bar = "" if row.bar is None else f"≤ {row.bar:g}{row.unit}"
    value = f"{row.value:.2f}{row.unit}"
    return [
        str(row.number),
        row.measured,
        value,
        spread,
        bar,
        row.verdict,
        row.above,
        row.below,
    ]


def _line(row: Row) -> str:
    number, measured, value, spread, bar, *_ = _cells(row)
    mark = {"holds": "●", "misses": "○", "reported": ""}[row.verdict]
    return f"| {number} | {measured} | {value} | {spread} | {bar} | {mark} |".replace("  ", " ")


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms"
