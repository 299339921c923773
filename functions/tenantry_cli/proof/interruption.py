"""Signals: the first one interrupts the command, and none interrupts a removal."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from tenantry_cli.signals import INTERRUPTIONS, ignore


@contextmanager
def interruptible() -> Iterator[None]:
    """Both signals raise KeyboardInterrupt. A second signal does not interrupt the cleanup."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        for each in INTERRUPTIONS:
            signal.signal(each, ignore)
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in INTERRUPTIONS}
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
    before = {each: signal.signal(each, ignore) for each in INTERRUPTIONS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
