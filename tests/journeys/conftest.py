"""An entry point for each test, and threads that call."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.entry_points import ENTRY_POINTS, EntryPoint


@pytest.fixture(params=ENTRY_POINTS)
def entry_point(request: pytest.FixtureRequest) -> EntryPoint:
    """Each entry point in turn."""
    return ENTRY_POINTS[request.param]


@pytest.fixture
def caller() -> Iterator[ThreadPoolExecutor]:
    """Two threads that call and wait while the test goes on."""
    with ThreadPoolExecutor(2) as thread:
        yield thread
