"""The process of `tenantry up`: how it starts, watches its children and stops."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tenantry_cli.emulator.stack import Stack
from tenantry_cli.errors import TenantryError

_ENDINGS = {signal.SIGINT, signal.SIGTERM}
_READY = "ready"


class _Stopped(BaseException):
    """A request to stop: from Ctrl-C, `tenantry down` or the system."""


@contextmanager
def stopping_cleanly() -> Iterator[None]:
    """Both signals end the block. A second signal does not interrupt the cleanup."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        for ending in _ENDINGS:
            signal.signal(ending, signal.SIG_IGN)
        raise _Stopped

    before = {ending: signal.signal(ending, stop) for ending in _ENDINGS}
    with suppress(_Stopped):
        try:
            yield
        finally:
            for ending, handler in before.items():
                # After a signal, the process only ends, and ignores further signals.
                if signal.getsignal(ending) is stop:
                    signal.signal(ending, handler)


def watch(stack: Stack) -> None:
    """Waits for a request to stop. Raises an error if a component ends before that."""
    awaited = _ENDINGS | {signal.SIGCHLD}
    # SIGCHLD is ignored by default, and some systems then do not keep it for sigwait.
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    # The request came during a finalizer, where Python drops the exception of a handler.
    if any(signal.getsignal(ending) is signal.SIG_IGN for ending in _ENDINGS):
        return
    while True:
        for child in stack.children:
            if not child.is_alive:
                raise TenantryError(child.exit_report())
        if signal.sigwait(awaited) in _ENDINGS:
            return


def start_detached(arguments: Sequence[str], log: Path) -> None:
    """Starts `tenantry up` in the background, and returns when it is ready.

    Raises the error of `tenantry up` if it fails.
    """
    reader, writer = os.pipe()
    # The log shows the keys.
    log.touch(mode=0o600)
    with log.open("wb") as output:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "tenantry_cli", "up", *arguments, f"--ready-fd={writer}"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[writer],
            start_new_session=True,
        )
    os.close(writer)
    with os.fdopen(reader) as pipe:
        try:
            # Ends when the process has reported, or has died without a report.
            report = pipe.read()
        except BaseException:
            # The process has its own session, so the signal did not reach it.
            supervisor.terminate()
            supervisor.wait()
            raise
    if report != _READY:
        # The process has stopped its children, and ends.
        supervisor.wait()
        raise TenantryError(report or f"The emulator did not start:\n{log.read_text()}")


class Starter:
    """The process that started this one in the background, if there is one."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def report_ready(self) -> None:
        self._report(_READY)

    def report_failure(self, error: TenantryError) -> None:
        self._report(str(error))

    def _report(self, report: str) -> None:
        if self._descriptor is not None:
            with os.fdopen(self._descriptor, "w") as pipe:
                pipe.write(report)
            self._descriptor = None
