"""The ports of one stack: that of the gateway and the next seven."""

import random
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tenantry_cli.errors import TenantryError

DEFAULT = 54321

_HOST = "127.0.0.1"
_BLOCK = 10
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
    def inner_gateway(self) -> int:
        return self.gateway + 6

    @property
    def _claim(self) -> int:
        return self.gateway + 7

    def claim(self) -> socket.socket:
        """Claims the block of ports, or raises an error if one of them is in use.

        The returned socket holds the last port, which serves nothing. Of two stacks that start
        at once, only one can hold it.
        """
        for port in range(self.gateway, self._claim):
            if not _is_free(port):
                raise PortInUseError(port)
        claim = socket.socket()
        try:
            claim.bind((_HOST, self._claim))
        except OSError:
            claim.close()
            raise PortInUseError(self._claim) from None
        return claim


class PortInUseError(TenantryError):
    def __init__(self, port: int) -> None:
        super().__init__(f"Port {port} is in use{_holder(port)}")


def _holder(port: int) -> str:
    """Who has the port, and what to do."""
    found = [c for c in psutil.net_connections("tcp") if c.laddr and c.laddr.port == port]
    listening = [c for c in found if c.status == psutil.CONN_LISTEN]
    holder = _program(listening or found)
    if listening or not found:
        return (
            f"{holder}. Stop the program that listens there, or choose another block of eight "
            "ports with --port."
        )
    return (
        f" for an outgoing connection{holder}: the system gives such connections any port from "
        f"{_outgoing()[0]} to {_outgoing()[1]}. Run the command again in a minute, or choose a "
        "block of eight ports outside this range with --port. To keep the ports for the "
        "emulator, set the kernel parameter net.ipv4.ip_local_reserved_ports."
    )


def _program(connections: Iterable[Any]) -> str:
    for connection in connections:
        # Other users' processes have no number here.
        if connection.pid is not None:
            with suppress(psutil.Error):
                name = psutil.Process(connection.pid).name()
                return f" by {name} (process {connection.pid})"
    return ""


def _outgoing() -> tuple[str, str]:
    first, last = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    return first, last


def claim_free() -> tuple[Ports, socket.socket]:
    """Claims a free block of ports."""
    # Tests that fix the seed of `random` must not all choose the same block.
    for gateway in random.SystemRandom().sample(_SPARE, len(_SPARE)):
        ports = Ports(gateway)
        try:
            return ports, ports.claim()
        except PortInUseError:
            continue
    raise TenantryError("No block of free ports was found on 127.0.0.1.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # With this option, a port of a stack that just stopped is free. A port that an outgoing
        # connection has just used is not: no server can bind it for a while.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True
