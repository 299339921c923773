"""`tenantry up` once all is ready: stays, watches the children, and ends with them."""

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


class Stopped(BaseException):
    """Somebody asked us to stop: Ctrl-C, `tenantry down`, or the system."""


@contextmanager
def stopping_cleanly() -> Iterator[None]:
    """Both signals unwind what was started; a second one does not interrupt the unwinding."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        for ending in _ENDINGS:
            signal.signal(ending, signal.SIG_IGN)
        raise Stopped

    before = {ending: signal.signal(ending, stop) for ending in _ENDINGS}
    with suppress(Stopped):
        try:
            yield
        finally:
            for ending, handler in before.items():
                # Once stopped, there is nothing left to do but to end.
                if signal.getsignal(ending) is stop:
                    signal.signal(ending, handler)


def watch(stack: Stack) -> None:
    """Waits until asked to stop; raises if a part of the stack dies before that."""
    awaited = _ENDINGS | {signal.SIGCHLD}
    # With SIGCHLD ignored, which is the default, some systems drop it instead of keeping it
    # for sigwait.
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    # Asked already, at a moment when Python drops what a handler raises: a finalizer's.
    if any(signal.getsignal(ending) is signal.SIG_IGN for ending in _ENDINGS):
        return
    while True:
        for child in stack.children:
            if not child.is_alive:
                raise TenantryError(child.obituary())
        if signal.sigwait(awaited) in _ENDINGS:
            return


def start_detached(arguments: Sequence[str], log: Path) -> None:
    """Starts `tenantry up` in the background; returns when it is ready or raises its reason."""
    reader, writer = os.pipe()
    # It shows the keys.
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
            # Ends when the other side has spoken, or has died without a word.
            verdict = pipe.read()
        except BaseException:
            # In a session of its own, it has not heard of what interrupted us.
            supervisor.terminate()
            supervisor.wait()
            raise
    if verdict != _READY:
        # It has stopped everything it started and is about to end itself.
        supervisor.wait()
        raise TenantryError(verdict or f"The emulator did not start:\n{log.read_text()}")


class Starter:
    """Whoever waits at the other end of the pipe for this process to be ready, if anybody."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def tell_ready(self) -> None:
        self._tell(_READY)

    def tell_failure(self, error: TenantryError) -> None:
        self._tell(str(error))

    def _tell(self, verdict: str) -> None:
        if self._descriptor is not None:
            with os.fdopen(self._descriptor, "w") as pipe:
                pipe.write(verdict)
            self._descriptor = None
