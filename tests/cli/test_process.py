"""The processes of an emulator: what is said while they start, and how they stop."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.waiting import until
from tenantry_cli.emulator.process import Child, Children
from tenantry_cli.progress import telling

# Ends after a request to stop, when the other file is there, and leaves a file of its own.
_PATIENT = """
import pathlib, signal, sys, time
own, other = map(pathlib.Path, sys.argv[1:])
def stop(*_):
    own.touch()
    while not other.exists():
        time.sleep(0.01)
    sys.exit(7)
signal.signal(signal.SIGTERM, stop)
pathlib.Path(f"{own}.ready").touch()
while True:
    signal.pause()
"""


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[list[Child]]:
    """Two processes, each of which ends only after both have been requested to stop."""
    names = [tmp_path / "first", tmp_path / "second"]
    children = [
        Child(
            own.name,
            [sys.executable, "-c", _PATIENT, own, other],
            log=tmp_path / f"{own.name}.log",
            env={},
            cwd=tmp_path,
            stop_seconds=5,
        )
        for own, other in (names, names[::-1])
    ]
    yield children
    for child in children:
        child.stop()


def test_children_stop_at_the_same_time(tmp_path: Path, pair: list[Child]) -> None:
    children = Children()
    for child in pair:
        children.add(child)
    until(lambda: all((tmp_path / f"{child.name}.ready").exists() for child in pair))

    for child in reversed(pair):
        children.stop(child)

    # Not killed, after the time that a child has for its end.
    reports = [child.exit_report() for child in pair]
    assert reports == [f"{child.name} stopped with status 7." for child in pair]


def test_start_says_what_it_waits_for(tmp_path: Path, pair: list[Child]) -> None:
    told: list[str] = []

    pair[0].wait_until(
        lambda: bool(told), told.append, "reads the schemas of all tenants", seconds=0
    )

    assert told[0].startswith(
        "Waiting for first, which reads the schemas of all tenants, 0 s …"
    )


def test_long_step_tells_how_long_it_takes() -> None:
    told: list[str] = []
    is_told = threading.Event()

    def report(sentence: str) -> None:
        told.append(sentence)
        is_told.set()

    with telling(report, "Still applying supabase/migrations", seconds=0.01):
        assert is_told.wait(10)
    number = len(told)

    assert told[0] == "Still applying supabase/migrations, 0 s …"
    # Nothing is told after the step.
    assert not any(thread.name == "teller" for thread in threading.enumerate())
    assert len(told) == number
