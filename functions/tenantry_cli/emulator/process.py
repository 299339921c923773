"""A child process: its log, its readiness and its end."""

import pwd
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tenantry_cli.errors import TenantryError
from tenantry_cli.waiting import WaitTimeoutError, wait_until

_INTERVAL_SECONDS = 0.05
# A child that stays silent for this long has failed, whatever the number of tenants is.
_READY_SECONDS = 900
_TOLD_SECONDS = 3
_LAST_LINES = 8


class Child:
    """One component of the stack. It has its own session, so that Ctrl-C reaches only us."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str],
        cwd: Path,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        stop_seconds: float = 10,
    ) -> None:
        self.name = name
        self.log = log
        self._stop_signal = stop_signal
        self._is_stopping = False
        self._stop_seconds = stop_seconds
        with log.open("wb") as output, runnable(command[0], user):
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
                start_new_session=True,
                user=user,
                group=None if user is None else _primary_group(user),
                extra_groups=None if user is None else [],
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def wait_until(
        self,
        ready: Callable[[], bool],
        report: Callable[[str], None] = lambda sentence: None,
        task: str = "",
        seconds: float = _TOLD_SECONDS,
    ) -> None:
        """Returns once `ready` holds. Raises an error if the child ends before that.

        Many tenants may need minutes, so `report` says every `seconds` what is awaited: `task`
        is what the child does meanwhile.
        """
        doing = f", which {task}" if task else ""
        began = told = time.monotonic()

        def pause(interval: float) -> None:
            nonlocal told
            self._require_alive_for(interval)
            if (now := time.monotonic()) - told > seconds:
                told = now
                report(
                    f"Waiting for {self.name}{doing}, {now - began:.0f} s …{self.last_lines(1)}"
                )

        try:
            wait_until(
                ready,
                f"{self.name} is ready",
                seconds=_READY_SECONDS,
                interval=_INTERVAL_SECONDS,
                pause=pause,
            )
        except WaitTimeoutError as error:
            raise TenantryError(f"{error}{self.last_lines()}") from None

    def exit_report(self) -> str:
        return f"{self.name} stopped with status {self._process.poll()}.{self.last_lines()}"

    def last_lines(self, number: int = _LAST_LINES) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-number:]
        return "".join(f"\n  {line}" for line in lines)

    def request_stop(self) -> None:
        """Does not wait for the end, so that several children can stop at the same time."""
        if not self._is_stopping:
            self._is_stopping = True
            self._process.send_signal(self._stop_signal)

    def stop(self) -> None:
        self.request_stop()
        try:
            self._process.wait(self._stop_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _require_alive_for(self, seconds: float) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
            raise TenantryError(self.exit_report())


class Children:
    """The children of one emulator, which all stop at the same time: PostgreSQL writes what it
    has in memory while the others end."""

    def __init__(self) -> None:
        self._children: list[Child] = []

    def add(self, child: Child) -> None:
        self._children.append(child)

    def stop(self, child: Child) -> None:
        """Returns when this child has ended."""
        for each in reversed(self._children):
            each.request_stop()
        child.stop()


@contextmanager
def runnable(program: str | Path, user: str | None = None) -> Iterator[None]:
    """Explains why the system does not run a program."""
    try:
        yield
    except OSError as error:
        as_whom = "" if user is None else f" as the user {user}, who must be able to enter it"
        raise TenantryError(
            f"{program} cannot be run ({error.strerror}). Its folder has to allow programs"
            f"{as_whom}; TENANTRY_CACHE_DIR or TENANTRY_PG_BIN can name another folder."
        ) from error


def _primary_group(user: str) -> int:
    return pwd.getpwnam(user).pw_gid
