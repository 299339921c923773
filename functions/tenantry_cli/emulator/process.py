"""A child process: its log, its readiness and its end."""

import pwd
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tenantry_cli.errors import TenantryError
from tenantry_cli.waiting import WaitTimeoutError, wait_until

_INTERVAL_SECONDS = 0.02
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
    ) -> None:
        self.name = name
        self.log = log
        self._stop_signal = stop_signal
        with log.open("wb") as output:
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

    def wait_until(self, ready: Callable[[], bool], seconds: float = 30) -> None:
        """Returns once `ready` holds. Raises an error if the child ends before that."""
        try:
            wait_until(
                ready,
                f"{self.name} is ready",
                seconds=seconds,
                interval=_INTERVAL_SECONDS,
                pause=self._require_alive_for,
            )
        except WaitTimeoutError as error:
            raise TenantryError(f"{error}{self.last_lines()}") from None

    def exit_report(self) -> str:
        return f"{self.name} stopped with status {self._process.poll()}.{self.last_lines()}"

    def last_lines(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
        return "".join(f"\n  {line}" for line in lines)

    def stop(self, seconds: float = 10) -> None:
        self._process.send_signal(self._stop_signal)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _require_alive_for(self, seconds: float) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
            raise TenantryError(self.exit_report())


def _primary_group(user: str) -> int:
    return pwd.getpwnam(user).pw_gid
