"""The emulator that all tests of a run share. It starts when the first test asks for it.

The process that somebody started as `pytest` owns the emulator. A worker of pytest-xdist asks
that process for the address, through a channel of its own. The emulator therefore outlives any
worker and stops with the run.
"""

from __future__ import annotations

import dataclasses
import signal
import threading
import traceback
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import pytest

from support.environment import Address
from tenantry_cli.emulator.stack import Stack
from tenantry_cli.emulator.state import sweep
from tenantry_cli.errors import TenantryError
from tenantry_cli.project import find_project

# A start takes 5 to 20 seconds, and minutes where the components have to be downloaded first.
_START_SECONDS = 900
_CHANNEL = "shared_emulator"


@dataclass(frozen=True)
class StartFailure:
    """Why the emulator did not start."""

    reason: str


class SharedEmulator:
    """Starts the emulator at the first request, and keeps the address or the error."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cleanup = ExitStack()
        self._outcome: Address | StartFailure | None = None

    def start_once(self) -> Address | StartFailure:
        with self._lock:
            if self._outcome is None:
                self._outcome = self._start()
            return self._outcome

    def _start(self) -> Address | StartFailure:
        try:
            stack = self._cleanup.enter_context(Stack.start(port=None, ephemeral=True))
        except TenantryError as error:
            return StartFailure(str(error))
        except Exception:
            return StartFailure(traceback.format_exc())
        return Address.of(stack)

    def close(self) -> None:
        """Stops the emulator, also one that another thread is starting at this moment."""
        with self._lock:
            self._outcome = StartFailure("The test run is over.")
            self._cleanup.close()


_OWNED = pytest.StashKey[SharedEmulator]()


def pytest_configure(config: pytest.Config) -> None:
    if not _is_worker(config):
        config.stash[_OWNED] = SharedEmulator()
        # SIGTERM, as from a time limit, ends the run in the same way as Ctrl-C.
        signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Gives a worker the channel on which it asks (a hook of pytest-xdist)."""
    emulator = node.config.stash[_OWNED]
    channel = node.gateway.newchannel()

    def answer(_: object) -> None:
        # In a thread, because the caller of this function also receives the test reports.
        threading.Thread(target=_send_address, args=(emulator, channel), daemon=True).start()

    channel.setcallback(answer)
    node.workerinput[_CHANNEL] = channel


def _send_address(emulator: SharedEmulator, channel: Any) -> None:
    reply = dataclasses.asdict(emulator.start_once())
    # A worker that has ended meanwhile needs no reply.
    with suppress(OSError):
        channel.send(reply)


def pytest_unconfigure(config: pytest.Config) -> None:
    if _is_worker(config):
        return
    # A second Ctrl-C must not interrupt the stopping.
    before = {
        number: signal.signal(number, signal.SIG_IGN)
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        config.stash[_OWNED].close()
        # A worker that died may have left emulators of its own.
        sweep(find_project())
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.fixture(scope="session")
def address(pytestconfig: pytest.Config) -> Address:
    """Where the shared emulator answers."""
    if _is_worker(pytestconfig):
        outcome = _ask(pytestconfig.workerinput[_CHANNEL])  # type: ignore[attr-defined]
    else:
        outcome = pytestconfig.stash[_OWNED].start_once()
    if isinstance(outcome, StartFailure):
        pytest.fail(f"The shared emulator did not start: {outcome.reason}", pytrace=False)
    return outcome


def _ask(channel: Any) -> Address | StartFailure:
    channel.send(None)
    reply = channel.receive(_START_SECONDS)
    return StartFailure(**reply) if "reason" in reply else Address(**reply)


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")
