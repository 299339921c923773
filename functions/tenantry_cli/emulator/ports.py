"""The ports of one stack: that of the gateway and the next six."""

import random
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tenantry_cli.errors import TenantryError

DEFAULT = 54321

_HOST = "127.0.0.1"
_BLOCK = 10
_CLOSED = psutil.CONN_TIME_WAIT
_CLOSED_SECONDS = 70
_INTERVAL_SECONDS = 0.5
# These ports are below the range that systems use for outgoing connections.
_SPARE = range(20_000, 32_000, _BLOCK)


@dataclass(frozen=True)
class Ports:
    gateway: int

    @property
    def database(self) -> int:
        return self.gateway + 1

    @property
    def postgrest(self) -> int:
        return self.gateway + 2

    @property
    def postgrest_admin(self) -> int:
        return self.gateway + 3

    @property
    def auth(self) -> int:
        return self.gateway + 4

    @property
    def functions(self) -> int:
        return self.gateway + 5

    @property
    def _claim(self) -> int:
        return self.gateway + 6

    def claim(self) -> ExitStack:
        """Claims the block of ports, or raises an error if one of them is in use.

        The claim lasts until the returned stack is closed. The last port serves nothing: of two
        emulators that start at once, only one can hold it.
        """
        with ExitStack() as claim:
            for port in range(self.gateway, self._claim):
                # With this option, a port of an emulator that just stopped is free, and the
                # component can bind the port beside this socket. An outgoing connection cannot
                # get the port, not even before the component has started.
                _hold(claim, port, is_shared=True)
            _hold(claim, self._claim, is_shared=False)
            return claim.pop_all()


class PortInUseError(TenantryError):
    def __init__(self, port: int) -> None:
        found = [c for c in psutil.net_connections("tcp") if c.laddr and c.laddr.port == port]
        listening = [c for c in found if c.status == psutil.CONN_LISTEN]
        # The system keeps the port of a closed connection for a minute.
        self.is_passing = bool(found) and all(c.status == _CLOSED for c in found)
        super().__init__(
            f"Port {port} is in use{_program(listening)}. Stop the program that listens there, "
            "or choose another block of seven ports with --port."
            if listening or not found
            else f"Port {port} is in use for an outgoing connection{_program(found)}: the "
            f"system gives such connections any port from {_outgoing()}. Run the command again "
            "in a minute, or choose a block of seven ports outside this range with --port. To "
            "keep the ports for the emulator, set the kernel parameter "
            "net.ipv4.ip_local_reserved_ports."
        )


def _program(connections: Iterable[Any]) -> str:
    for connection in connections:
        # Other users' processes have no number here.
        if connection.pid is not None:
            with suppress(psutil.Error):
                name = psutil.Process(connection.pid).name()
                return f" by {name} (process {connection.pid})"
    return ""


def _outgoing() -> str:
    return " to ".join(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())


def claim_soon(ports: Ports, report: Callable[[str], None]) -> ExitStack:
    """Claims the ports, and waits while only closed connections have one of them."""
    deadline = time.monotonic() + _CLOSED_SECONDS
    is_told = False
    while True:
        try:
            return ports.claim()
        except PortInUseError as error:
            if not error.is_passing or time.monotonic() > deadline:
                raise
        if not is_told:
            report("Waiting for a port that a closed connection still has, a minute at most …")
            is_told = True
        time.sleep(_INTERVAL_SECONDS)


def claim_free(gateways: Sequence[int] = _SPARE) -> tuple[Ports, ExitStack]:
    """Claims a free block of ports; the first port of each possible block is given."""
    # Tests that fix the seed of `random` must not all choose the same block.
    for gateway in random.SystemRandom().sample(gateways, len(gateways)):
        ports = Ports(gateway)
        try:
            return ports, ports.claim()
        except PortInUseError:
            continue
    raise TenantryError("No block of free ports was found on 127.0.0.1.")


def _hold(claim: ExitStack, port: int, *, is_shared: bool) -> None:
    holder = claim.enter_context(socket.socket())
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, is_shared)
    try:
        holder.bind((_HOST, port))
    except OSError:
        raise PortInUseError(port) from None
