"""Signals: the first one interrupts the command, and none interrupts a removal."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

import pytest

from tenantry_cli.emulator.supervisor import stopping_cleanly
from tenantry_cli.proof.interruption import interruptible, undisturbed
from tenantry_cli.signals import completed

BOTH = (signal.SIGINT, signal.SIGTERM)


@pytest.mark.parametrize("first", BOTH)
def test_first_signal_interrupts_and_further_ones_do_not_stop_the_cleanup(
    first: signal.Signals,
) -> None:
    removed: list[str] = []

    def create_and_remove() -> None:
        try:
            signal.raise_signal(first)
        finally:
            for number in BOTH:
                signal.raise_signal(number)
            removed.append("all")

    with pytest.raises(KeyboardInterrupt), interruptible():
        create_and_remove()

    assert removed == ["all"]


@pytest.mark.parametrize("block", [interruptible, stopping_cleanly])
def test_two_signals_at_once_are_one_interruption(
    block: Callable[[], AbstractContextManager[object]],
) -> None:
    # Python prints a stack trace, which pytest reports, if the handler of the first signal
    # leaves no handler for the second.
    before = {number: signal.getsignal(number) for number in BOTH}
    is_cleaned_up = False
    try:
        with suppress(KeyboardInterrupt), block():
            try:
                signal.pthread_sigmask(signal.SIG_BLOCK, BOTH)
                # Another thread, which blocks nothing, would take a signal to the process.
                for number in BOTH:
                    signal.raise_signal(number)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, BOTH)
            finally:
                is_cleaned_up = True
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

    assert is_cleaned_up


def test_signals_are_ignored_while_undisturbed_and_handlers_are_restored() -> None:
    before = [signal.getsignal(number) for number in BOTH]

    with undisturbed():
        for number in BOTH:
            signal.raise_signal(number)

    assert [signal.getsignal(number) for number in BOTH] == before


def test_signal_interrupts_after_a_block_that_has_to_be_completed() -> None:
    done: list[str] = []

    def create() -> None:
        with completed():
            with completed():
                signal.raise_signal(signal.SIGTERM)
                done.append("request")
            done.append("what the reply says")
        done.append("the next step")

    with pytest.raises(KeyboardInterrupt), interruptible():
        create()

    assert done == ["request", "what the reply says"]
