"""A trial: runs `tenantry` in a project, as a person does in a terminal."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tenantry_cli.emulator.ports import claim_free
from tenantry_cli.emulator.state import State, states
from tenantry_cli.project import Project

_PACKAGES = Path(__file__).resolve().parents[2] / "functions"


def free_port() -> int:
    ports, claim = claim_free()
    claim.close()
    return ports.gateway


@dataclass
class Trial:
    directory: Path
    port: int
    env: dict[str, str] = field(default_factory=dict)

    @property
    def project(self) -> Project:
        return Project(self.directory)

    @property
    def migration(self) -> Path:
        """The first migration."""
        return min(self.project.migrations.iterdir())

    def write(self, path: str, text: str) -> None:
        target = self.directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def tenantry(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs the command to its end."""
        return subprocess.run(
            self._command(arguments),
            capture_output=True,
            text=True,
            cwd=self.directory,
            env=self._env(),
            timeout=120,
            check=False,
        )

    def up(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts `tenantry up` in the foreground, and returns when it is ready."""
        running = self.begin_up(*arguments)
        self.read_until(running, "ready (Ctrl-C stops everything)")
        return running

    def read_until(self, running: subprocess.Popen[str], sentence: str) -> str:
        """The output up to that sentence. Fails if the output ends before."""
        assert running.stdout is not None
        output = ""
        for line in running.stdout:
            output += line
            if sentence in line:
                return output
        running.wait()
        raise AssertionError(output)

    def begin_up(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts `tenantry up`, and does not wait for it."""
        return self.begin("up", f"--port={self.port}", *arguments)

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts the command, and does not wait for it."""
        return subprocess.Popen(
            self._command(arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.directory,
            env=self._env(),
        )

    def up_detached(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.tenantry("up", "--detach", f"--port={self.port}", *arguments)

    def connection(self) -> dict[str, str]:
        shown: dict[str, str] = json.loads(self.tenantry("status", "--json").stdout)
        return shown

    def states(self) -> list[State]:
        return [state for _, state in states(self.project)]

    def processes(self) -> list[psutil.Process]:
        """The processes in the directory of the project, the database server included."""
        found = []
        for process in psutil.process_iter():
            try:
                if Path(process.cwd()).is_relative_to(self.directory):
                    found.append(process)
            except (psutil.AccessDenied, psutil.NoSuchProcess):
                continue
        return found

    def end(self) -> None:
        for state in self.states():
            if state.is_running:
                os.kill(state.supervisor_pid, signal.SIGKILL)
                state.wait_until_gone()
            state.end_leftovers()

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "tenantry_cli", *arguments]

    def _env(self) -> Mapping[str, str]:
        # Ephemeral emulators have their files here too, so that `processes` finds them.
        scratch = self.directory / "tmp"
        scratch.mkdir(exist_ok=True)
        return {
            **os.environ,
            "PYTHONPATH": str(_PACKAGES),
            "TMPDIR": str(scratch),
            **self.env,
        }
