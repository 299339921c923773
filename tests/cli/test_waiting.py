"""Waiting for a condition: it is checked until it holds, and a deadline ends the wait."""

from __future__ import annotations

import pytest

from tenantry_cli.waiting import WaitTimeoutError, wait_until


def test_wait_ends_as_soon_as_the_condition_holds() -> None:
    checks = iter([False, False, True])
    pauses: list[float] = []

    wait_until(lambda: next(checks), "it holds", seconds=60, interval=0.5, pause=pauses.append)

    assert pauses == [0.5, 0.5]


def test_wait_that_ends_at_its_deadline_names_the_condition_and_a_hint() -> None:
    with pytest.raises(WaitTimeoutError) as failed:
        wait_until(
            lambda: False,
            "the Data API knows acme.settings",
            seconds=0,
            interval=0.001,
            hint="Run `tenantry doctor` to find the reason.",
        )

    assert str(failed.value) == (
        "Timed out after 0 s of waiting until the Data API knows acme.settings. "
        "Run `tenantry doctor` to find the reason."
    )


def test_error_during_a_pause_ends_the_wait() -> None:
    def fail(seconds: float) -> None:
        raise ChildProcessError("the process ended")

    with pytest.raises(ChildProcessError):
        wait_until(lambda: False, "it holds", seconds=60, interval=0.001, pause=fail)
