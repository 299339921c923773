"""Measuring a ratio: both sides alternate, in rounds, after a warm-up."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

# Runs once and returns the seconds of the measured part.
Action = Callable[[], float]


@dataclass(frozen=True)
class Series:
    """One side: the median of each round."""

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.rounds)

    @property
    def spread(self) -> tuple[float, float]:
        return min(self.rounds), max(self.rounds)


def ratio(above: Series, below: Series) -> Series:
    """The ratio of each round. A disturbance of a round affects both sides."""
    pairs = zip(above.rounds, below.rounds, strict=True)
    return Series(tuple(a / b for a, b in pairs))


def timed(action: Callable[[], object]) -> Action:
    def run() -> float:
        begun = time.perf_counter()
        action()
        return time.perf_counter() - begun

    return run


def alternating(
    sides: Mapping[str, Action], *, rounds: int, repeats: int = 1, warm_up: int = 1
) -> dict[str, Series]:
    """Each round runs every side `repeats` times. The order alternates."""
    for _ in range(warm_up):
        for action in sides.values():
            action()
    medians: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        taken: dict[str, list[float]] = {name: [] for name in sides}
        for repeat in range(repeats):
            order = list(sides)
            if (number + repeat) % 2:
                order.reverse()
            for name in order:
                taken[name].append(sides[name]())
        for name, seconds in taken.items():
            medians[name].append(median(seconds))
    return {name: Series(tuple(values)) for name, values in medians.items()}
