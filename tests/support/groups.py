"""The groups of operations, as a started function has them."""

from __future__ import annotations

import importlib
from typing import Any

from support.callers import Start


def operations(start: Start, entry_point: str) -> dict[str, Any]:
    """The operations of a group by name."""
    start(entry_point)
    group = importlib.import_module(f"tenantry.{entry_point}").GROUP
    return dict(group.operations)
