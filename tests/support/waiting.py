"""Waiting until a condition holds. A test never waits for a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable

from support.environment import Environment

_LOOK_AGAIN_SECONDS = 0.01


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"the condition did not hold within {seconds:.0f} s"
        time.sleep(_LOOK_AGAIN_SECONDS)


def is_known(environment: Environment, schema_name: str, path: str) -> bool:
    """Whether the Data API already knows a new table or `rpc/…`."""
    return environment.rows(environment.nobody, schema_name, path, "OPTIONS").is_success
