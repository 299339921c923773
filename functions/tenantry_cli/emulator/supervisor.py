"""The process of `tenantry up`: how it starts, watches its children and stops."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tenantry_cli.emulator.stack import EndedError, Stack
from tenantry_cli.errors import TenantryError
from tenantry_cli.signals import ignore

# `tenantry reset` sends it to a running emulator.
RESET = signal.SIGUSR1


class _Stopped(BaseException):
    """A request to stop: from Ctrl-C, `tenantry down`, a closed terminal or the system."""


class Requests:
    """What other processes have requested of this one, by signals."""

    def __init__(self) -> None:
        self.endings = {signal.SIGINT, signal.SIGTERM}
        # `nohup tenantry up` ignores that its terminal is closed.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            self.endings.add(signal.SIGHUP)
        self.is_stop = False
        self.is_reset = False


@contextmanager
def stopping_cleanly() -> Iterator[Requests]:
    """An ending signal ends the block. A second signal does not interrupt the cleanup."""
    requests = Requests()

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        for ending in requests.endings:
            signal.signal(ending, ignore)
        requests.is_stop = True
        raise _Stopped

    def reset(number: int, frame: FrameType | None) -> None:
        requests.is_reset = True

    before = {ending: signal.signal(ending, stop) for ending in requests.endings}
    before_reset = signal.signal(RESET, reset)
    with suppress(_Stopped):
        try:
            yield requests
        finally:
            signal.signal(RESET, before_reset)
            for ending, handler in before.items():
                # After a signal, the process only ends. Python drops its own handlers then.
                signal.signal(ending, signal.SIG_IGN if requests.is_stop else handler)


def watch(stack: Stack, requests: Requests) -> None:
    """Waits for a request. Raises an error if a component ends before that."""
    awaited = requests.endings | {RESET, signal.SIGCHLD}
    # SIGCHLD is ignored by default, and some systems then do not keep it for sigwait.
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    try:
        # is_stop: the request came during a finalizer, where Python drops the exception.
        while not (requests.is_stop or requests.is_reset):
            for child in stack.children:
                if not child.is_alive:
                    raise EndedError(child.exit_report())
            number = signal.sigwait(awaited)
            requests.is_stop = number in requests.endings
            requests.is_reset = number == RESET
    finally:
        # A reset starts again, and a signal has to interrupt the start.
        if requests.is_reset:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def start_detached(arguments: Sequence[str], log: Path, show: Callable[[str], None]) -> None:
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
    report: dict[str, str] = {}
    with os.fdopen(reader) as pipe:
        try:
            # Ends when the process has reported, or has died without a report.
            for line in pipe:
                report = json.loads(line)
                if "progress" in report:
                    show(report["progress"])
        except BaseException:
            # The process has its own session, so the signal did not reach it.
            supervisor.terminate()
            supervisor.wait()
            raise
    if "ready" not in report:
        # The process has stopped its children, and ends.
        supervisor.wait()
        raise TenantryError(
            report.get("failure") or f"The emulator did not start:\n{log.read_text()}"
        )


class Starter:
    """The process that started this one in the background, if there is one."""

    def __init__(self, descriptor: int | None) -> None:
        self._pipe = None if descriptor is None else os.fdopen(descriptor, "w")

    def report_progress(self, sentence: str) -> None:
        self._report(progress=sentence)

    def report_ready(self) -> None:
        self._report(ready="")
        self._close()

    def report_failure(self, error: TenantryError) -> None:
        self._report(failure=str(error))
        self._close()

    def _report(self, **report: str) -> None:
        if self._pipe is not None:
            # The starter may have been killed. The emulator does not need it.
            with suppress(BrokenPipeError):
                print(json.dumps(report), file=self._pipe, flush=True)

    def _close(self) -> None:
        if self._pipe is not None:
            with suppress(BrokenPipeError):
                self._pipe.close()
            self._pipe = None
