"""Waiting until a condition holds. A test never waits for a fixed time."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.environment import Environment

# The first checks follow each other quickly. Later ones leave the processor to what is awaited.
_FIRST_PAUSE_SECONDS = 0.01
_LONGEST_PAUSE_SECONDS = 0.05


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    pause = _FIRST_PAUSE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"the condition did not hold within {seconds:.0f} s"
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)


def is_known(environment: Environment, schema_name: str, path: str) -> bool:
    """Whether the Data API already knows a new table or `rpc/…`."""
    return environment.rows(environment.nobody, schema_name, path, "OPTIONS").is_success


def is_pending(number: signal.Signals, process: int) -> bool:
    """Whether the process, on a busy machine, has not yet noticed the signal."""
    found = re.search(r"ShdPnd:\t(\w+)", Path(f"/proc/{process}/status").read_text())
    assert found is not None
    return bool(int(found[1], 16) >> (number - 1) & 1)
