"""The state of a running emulator, which other commands read: one file per emulator."""

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import psutil

from tenantry_cli.errors import TenantryError
from tenantry_cli.project import Project
from tenantry_cli.waiting import wait_until

# Every process of one start has the same run id in its environment, workers and their children
# included. A process id alone may belong to another process by now.
RUN_VARIABLE = "TENANTRY_RUN"


@dataclass(frozen=True)
class State:
    run_id: str
    gateway_port: int
    supervisor_pid: int
    supervisor_started: float
    # The directory of an ephemeral emulator, which is removed at the end.
    throw_away: str | None
    # The names of `supabase status -o json`, and a few more. Empty until the stack is ready.
    connection: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    # Why the emulator ended. Empty while it runs, and after a request to stop.
    end: str = ""

    @property
    def is_running(self) -> bool:
        # The process that has ended its emulator may live on.
        if self.end:
            return False
        try:
            supervisor = psutil.Process(self.supervisor_pid)
            return (
                abs(supervisor.create_time() - self.supervisor_started) < 1
                and supervisor.status() != psutil.STATUS_ZOMBIE
            )
        except psutil.NoSuchProcess:
            return False

    @property
    def reason(self) -> str:
        """Why the emulator does not run."""
        return self.end or (
            f"Its process {self.supervisor_pid} was killed, or the machine was restarted."
        )

    def wait_until_gone(self, seconds: float = 900) -> None:
        """Waits until the supervisor has ended, or is a zombie that nobody reaps."""
        wait_until(
            lambda: not self.is_running,
            "the emulator has stopped",
            seconds=seconds,
            interval=0.1,
            pause=self._wait_for_supervisor,
        )

    def _wait_for_supervisor(self, seconds: float) -> None:
        with suppress(psutil.Error):
            psutil.Process(self.supervisor_pid).wait(timeout=seconds)

    def end_leftovers(self) -> None:
        """Ends the processes, and removes the files, of a supervisor that was killed."""
        leftovers = list(_of_run(self.run_id))
        for process in leftovers:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGINT)
        _, stubborn = psutil.wait_procs(leftovers, timeout=5)
        for process in stubborn:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(stubborn, timeout=5)
        if self.throw_away is not None:
            shutil.rmtree(self.throw_away, ignore_errors=True)


def regular_file(project: Project) -> Path:
    return project.state / "emulator.json"


def ephemeral_file(project: Project, port: int) -> Path:
    return project.state / f"ephemeral-{port}.json"


def write_state(path: Path, state: State) -> None:
    # The file holds the keys. mkstemp makes it readable for its owner alone.
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}")
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(state), file)
    Path(draft).replace(path)


def read_state(path: Path) -> State | None:
    try:
        known = json.loads(path.read_text())
        names = {each.name for each in fields(State)}
        return State(**{name: value for name, value in known.items() if name in names})
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, AttributeError):
        raise TenantryError(
            f"{path} is damaged. Delete it, and end the processes of the emulator if it runs."
        ) from None


def states(project: Project) -> Iterator[tuple[Path, State]]:
    """All states, that of the regular emulator first."""
    for path in (regular_file(project), *sorted(project.state.glob("ephemeral-*.json"))):
        if (state := read_state(path)) is not None:
            yield path, state


class NotRunningError(TenantryError):
    """No emulator of the project is ready. `reason` says why one ended, if one did."""

    def __init__(self, sentence: str, reason: str | None = None) -> None:
        super().__init__(sentence)
        self.reason = reason


def alive(project: Project, port: int | None = None) -> State | None:
    """The emulator that runs or is starting; chosen as `running` does."""
    return _only([s for s in _on(project, port) if s.is_running])


def running(project: Project, port: int | None = None) -> State:
    """The emulator on that port. Without a port: the regular one, else the only one."""
    found = _on(project, port)
    if ready := _only([s for s in found if s.is_running and s.connection]):
        return ready
    for state in found:
        if state.is_running:
            raise NotRunningError(
                f"The emulator on port {state.gateway_port} is still starting. Wait until "
                "`tenantry up` says that it is ready."
            )
    for state in found:
        raise NotRunningError(
            f"The emulator on port {state.gateway_port} has ended. {state.reason}\n"
            "Start it again with `tenantry up`.",
            state.reason,
        )
    where = "" if port is None else f" on port {port}"
    raise NotRunningError(
        f"No emulator of this project is running{where}. Start one with `tenantry up`."
    )


def _on(project: Project, port: int | None) -> list[State]:
    return [s for _, s in states(project) if port in (None, s.gateway_port)]


def _only(found: Sequence[State]) -> State | None:
    if len(found) > 1 and found[0].throw_away is not None:
        ports = ", ".join(str(state.gateway_port) for state in found)
        raise TenantryError(
            f"Several ephemeral emulators of this project run, on the ports {ports}. Choose "
            "one with --port; or stop the others with `tenantry down --port=…`."
        )
    return found[0] if found else None


def sweep(project: Project) -> None:
    """Removes the remains of emulators whose supervisor was killed."""
    for path, state in states(project):
        if state.is_running:
            continue
        state.end_leftovers()
        if path == regular_file(project):
            # `tenantry status` still says why it ended.
            write_state(path, replace(state, end=state.reason, connection={}))
        else:
            path.unlink(missing_ok=True)


def _of_run(run_id: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(RUN_VARIABLE) == run_id:
                yield process
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
