"""Signals: the first one interrupts the command, and none interrupts a removal."""

from __future__ import annotations

import os
import signal

import pytest

from tenantry_cli.proof.interruption import interruptible, undisturbed

BOTH = (signal.SIGINT, signal.SIGTERM)


@pytest.mark.parametrize("first", BOTH)
def test_first_signal_interrupts_and_further_ones_do_not_stop_the_cleanup(
    first: signal.Signals,
) -> None:
    removed: list[str] = []

    def create_and_remove() -> None:
        try:
            os.kill(os.getpid(), first)
        finally:
            for number in BOTH:
                os.kill(os.getpid(), number)
            removed.append("all")

    with pytest.raises(KeyboardInterrupt), interruptible():
        create_and_remove()

    assert removed == ["all"]


def test_signals_are_ignored_while_undisturbed_and_handlers_are_restored() -> None:
    before = [signal.getsignal(number) for number in BOTH]

    with undisturbed():
        for number in BOTH:
            os.kill(os.getpid(), number)

    assert [signal.getsignal(number) for number in BOTH] == before
