"""Signals: the first one interrupts the command, and none interrupts a removal or a request
that changes something."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from tenantry_cli.signals import ignore

_INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interruptible() -> Iterator[None]:
    """Both signals raise KeyboardInterrupt. A second signal does not interrupt the cleanup."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        for each in _INTERRUPTIONS:
            signal.signal(each, ignore)
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in _INTERRUPTIONS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Both signals are ignored."""
    # Only the main thread can set signal handlers.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {each: signal.signal(each, ignore) for each in _INTERRUPTIONS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def completed() -> Iterator[None]:
    """A signal interrupts the command after the block.

    The server would go on with an interrupted request, and create what the command has just
    removed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {
        each: signal.signal(each, lambda number, frame: came.append(number))
        for each in _INTERRUPTIONS
    }
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        if came:
            signal.raise_signal(came[0])
