"""How far a command is: a bar where it works tenant by tenant, and sentences elsewhere."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

_TOLD_SECONDS = 3


@contextmanager
def telling(
    report: Callable[[str], None], sentence: str, seconds: float = _TOLD_SECONDS
) -> Iterator[None]:
    """Reports the sentence from time to time, with the seconds that the block has taken."""
    is_over = threading.Event()
    began = time.monotonic()

    def tell() -> None:
        while not is_over.wait(seconds):
            report(f"{sentence}, {time.monotonic() - began:.0f} s …")

    teller = threading.Thread(target=tell, name="teller", daemon=True)
    teller.start()
    try:
        yield
    finally:
        is_over.set()
        teller.join()


def progress_bar(console: Console, *, is_shown: bool) -> Progress:
    """Shows how many are done, how many a second, and how long the rest takes."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not (is_shown and console.is_terminal),
    )


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.0f}/s")
