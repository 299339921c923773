"""Waiting for a condition, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable

from tenantry_cli.errors import TenantryError


class WaitTimeoutError(TenantryError):
    """A condition did not hold in time."""


def wait_until(
    condition: Callable[[], bool],
    description: str,
    *,
    seconds: float,
    interval: float,
    pause: Callable[[float], object] = time.sleep,
    hint: str = "",
) -> None:
    """Checks the condition every `interval` seconds until it holds.

    After `seconds` it raises an error that names the condition by its description.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            sentence = f"Timed out after {seconds:.0f} s of waiting until {description}."
            raise WaitTimeoutError(f"{sentence} {hint}".rstrip())
        pause(interval)
