"""Runs of pytest inside a test: the shared emulator starts once and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from support.waiting import until
from tenantry_cli.emulator.state import RUN_VARIABLE, State, states
from tenantry_cli.project import find_project

pytestmark = pytest.mark.long

# A module with few tests, all of which need the emulator.
SELECTION = "tests/layers/test_plans.py"
# Far more than a run takes, because other tests load the machine at the same time.
SECONDS = 400


@contextmanager
def run(*options: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A separate run of pytest."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")
    }
    # These tests do not use Hypothesis, whose plugin loads it.
    plugins = ("-pno:cacheprovider", "-pno:hypothesispytest")
    command = [sys.executable, "-m", "pytest", *plugins, SELECTION, *options]
    with subprocess.Popen(
        command,
        cwd=find_project().root,
        env={**inherited, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def emulator_of(process: subprocess.Popen[str]) -> State | None:
    """The emulator that the run has started, as soon as the emulator is ready."""
    for _, state in states(find_project()):
        if state.supervisor_pid == process.pid and state.connection:
            return state
    return None


def remains_of(state: State) -> list[str]:
    """Processes and folders of an emulator that should be gone."""
    found = [
        str(process.cmdline())
        for process in psutil.process_iter()
        if _environment_of(process).get(RUN_VARIABLE) == state.run_id
    ]
    folder = Path(str(state.throw_away))
    return [*found, str(folder)] if folder.exists() else found


def _environment_of(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.Error:
        return {}


def _workers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The workers of pytest-xdist; execnet starts each with this command."""
    return [
        child
        for child in psutil.Process(process.pid).children()
        if "exec(eval(sys.stdin.readline()))" in " ".join(child.cmdline())
    ]


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_failed_start_is_reported_to_every_test(workers: str) -> None:
    with run(workers, TENANTRY_PG_BIN="/nonexistent") as process:
        output, _ = process.communicate(timeout=SECONDS)

    assert process.returncode == pytest.ExitCode.TESTS_FAILED
    errors = output.count("ERROR at setup of ")
    assert errors > 1
    # The report of a test begins the line. pytest's summary repeats it in the middle of a line
    # where it does not shorten lines: in CI and in a wide terminal.
    message = "\nThe shared emulator did not start: TENANTRY_PG_BIN: "
    assert output.count(message) == errors


def test_sigterm_stops_the_emulator() -> None:
    with run("-n2") as process:
        until(lambda: emulator_of(process) is not None or process.poll() is not None, SECONDS)
        state = emulator_of(process)
        assert state is not None
        assert remains_of(state)

        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=SECONDS)

    assert process.returncode == pytest.ExitCode.INTERRUPTED
    assert remains_of(state) == []
    assert state not in [each for _, each in states(find_project())]


def test_killed_worker_leaves_the_emulator_to_the_others() -> None:
    # Both workers get tests of the one module.
    with run("-n2", "--dist=load") as process:
        until(lambda: emulator_of(process) is not None or process.poll() is not None, SECONDS)
        state = emulator_of(process)
        assert state is not None
        _workers(process)[0].kill()
        output, _ = process.communicate(timeout=SECONDS)

    assert "1 failed, " in output
    assert " passed" in output
    assert "crashed" in output
    assert remains_of(state) == []
