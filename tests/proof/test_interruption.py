"""Signals: the first is heard, and none while something is removed."""

from __future__ import annotations

import os
import signal

import pytest

from tenantry_cli.proof.interruption import interruptible, undisturbed

BOTH = (signal.SIGINT, signal.SIGTERM)


@pytest.mark.parametrize("first", BOTH)
def test_the_first_interrupts_and_no_second_what_it_set_off(first: signal.Signals) -> None:
    removed: list[str] = []

    def make_and_remove() -> None:
        try:
            os.kill(os.getpid(), first)
        finally:
            for number in BOTH:
                os.kill(os.getpid(), number)
            removed.append("all")

    with pytest.raises(KeyboardInterrupt), interruptible():
        make_and_remove()

    assert removed == ["all"]


def test_none_is_heard_while_undisturbed_and_all_is_as_before() -> None:
    before = [signal.getsignal(number) for number in BOTH]

    with undisturbed():
        for number in BOTH:
            os.kill(os.getpid(), number)

    assert [signal.getsignal(number) for number in BOTH] == before
