"""How far a tenant is with a long phase: on a terminal a bar, elsewhere a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rich.progress import Progress

_BETWEEN_LINES_SECONDS = 10.0


class LongTenant:
    def __init__(self, name: str, progress: Progress, say: Callable[[str], None]) -> None:
        self._name = name
        self._progress = progress
        self._say = say
        self._task = progress.add_task(name, total=None)
        self._begun: tuple[float, int] | None = None
        self._said_at = 0.0
        self._last: tuple[int, int] | None = None
        self._pass: int | None = None
        # Whether the last result differs from the one before.
        self.has_advanced = True

    def show(self, result: dict[str, Any]) -> None:
        """The rows of a backfill."""
        done, left = result["rows_done"], result["rows_left"]
        what = f"{result['version']} ({result['name']})"
        if result["pass_number"] > 1:
            what += f", pass {result['pass_number']} for rows that moved or came meanwhile"
        if result["pass_number"] != self._pass:
            # What is left is counted anew.
            self._pass, self._begun = result["pass_number"], None
        self.has_advanced = self._last != (done, left)
        self._last = done, left
        self._progress.update(
            self._task,
            description=f"{self._name}: {what}",
            completed=done,
            total=done + left,
        )
        now = time.monotonic()
        begun, at_first = self._begun = self._begun or (now, left)
        if self._progress.disable is False or now < self._said_at + _BETWEEN_LINES_SECONDS:
            return
        self._said_at = now
        self._say(
            f"{self._name}, {what}: {done:,} rows done, about {left:,} left to read"
            f"{_time_left(now - begun, at_first, left)}."
        )

    def say(self, text: str) -> None:
        self._progress.update(self._task, description=f"{self._name}: {text}")
        if self._progress.disable:
            self._say(f"{self._name}: {text}.")

    def remove(self) -> None:
        self._progress.remove_task(self._task)


def _time_left(seconds: float, at_first: int, left: int) -> str:
    """From the rows that were left at first, and the seconds since then."""
    if left >= at_first:
        return ""
    rest = seconds * left / (at_first - left)
    return f", about {rest / 60:.0f} min" if rest > 90 else f", about {rest:.0f} s"
