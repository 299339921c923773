"""Cost against the number of tenants, one picture for each measured operation."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

from .results import Results
from .rounds import Series, ratio

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes


def draw(results: Results, directory: Path) -> list[Path]:
    """Writes one PNG for each growing cost, and one with all of them as ratios."""
    written = []
    for measured, sizes in results.growth.items():
        figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
        tenants = sorted(sizes)
        _line(axes, tenants, [sizes[n][0] for n in tenants], "as many tenants as below", "C0")
        _line(axes, tenants, [sizes[n][1] for n in tenants], "10 tenants, same rounds", "C1")
        axes.set(title=measured, xlabel="tenants", ylabel="milliseconds", xscale="log")
        axes.set_ylim(bottom=0)
        axes.set_xticks(tenants, [f"{n:,}" for n in tenants])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend()
        written.append(directory / f"{_file_name(measured)}.png")
        figure.savefig(written[-1], dpi=110)
        plt.close(figure)
    if results.growth:
        written.append(_overview(results, directory))
    return written


def _overview(results: Results, directory: Path) -> Path:
    figure, axes = plt.subplots(figsize=(9, 5), layout="constrained")
    ticks: set[int] = set()
    for number, (measured, sizes) in enumerate(results.growth.items()):
        tenants = sorted(sizes)
        ticks |= set(tenants)
        ratios = [ratio(*sizes[n]).median for n in tenants]
        style = "-o" if number < 10 else "--s"
        axes.plot(tenants, ratios, style, label=measured, markersize=4)
    axes.axhline(1, color="black", linewidth=0.8)
    axes.set(title="Cost ÷ cost with 10 tenants", xlabel="tenants", xscale="log")
    axes.set_ylim(bottom=0)
    axes.set_xticks(sorted(ticks), [f"{n:,}" for n in sorted(ticks)])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    path = directory / "overview.png"
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path


def _line(
    axes: Axes, tenants: list[int], series: list[Series], label: str, colour: str
) -> None:
    axes.plot(tenants, [one.median * 1000 for one in series], "-o", label=label, color=colour)
    axes.fill_between(
        tenants,
        [one.spread[0] * 1000 for one in series],
        [one.spread[1] * 1000 for one in series],
        alpha=0.15,
        color=colour,
    )


def _file_name(measured: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in measured.lower()).strip("_")
