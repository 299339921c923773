"""What a command does with a signal."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# The exit code of Ctrl-C in a shell.
INTERRUPTED = 130
INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)


def ignore(number: int, frame: FrameType | None) -> None:
    """Takes the place of SIG_IGN. When two signals come at once, and the handler of the first
    one sets SIG_IGN for the second, Python prints a stack trace."""


@contextmanager
def completed() -> Iterator[None]:
    """A signal interrupts the command after the block.

    A server goes on with an interrupted request, and would change what the command takes for
    unchanged.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {
        each: signal.signal(each, lambda number, frame: came.append(number))
        for each in INTERRUPTIONS
    }
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        if came:
            signal.raise_signal(came[0])


@contextmanager
def terminated_like_ctrl_c() -> Iterator[None]:
    """A CI job that is cancelled gets SIGTERM, and must leave a report, too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
