"""The ports of one stack: that of the gateway and the next seven."""

import random
import socket
from dataclasses import dataclass

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
        super().__init__(
            f"Port {port} is in use. Stop the program that listens there, or wait a minute if "
            "there is none (a connection has used the port), or choose another block of eight "
            "ports with --port."
        )


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
