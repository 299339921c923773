"""The ports of one stack: the gateway's, and those that follow it."""

import random
import socket
from dataclasses import dataclass

from tenantry_cli.errors import TenantryError

DEFAULT = 54321

_HOST = "127.0.0.1"
_BLOCK = 10
# Below the range from which systems take ports for outgoing connections.
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
        """Raises if a port is taken. Of two stacks that start at once one gets the block:
        the last port serves nothing, and is held by whoever has the returned socket."""
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
            f"Port {port} is in use: stop what listens there, wait a minute if nothing does "
            "(a connection has used it), or choose other ports with --port (the gateway's; "
            "the seven after it are taken too)."
        )


def claim_spare() -> tuple[Ports, socket.socket]:
    """A block of ports nobody uses, claimed."""
    # Tests that fix the seed of `random` must not all want the same block.
    for gateway in random.SystemRandom().sample(_SPARE, len(_SPARE)):
        ports = Ports(gateway)
        try:
            return ports, ports.claim()
        except PortInUseError:
            continue
    raise TenantryError("No block of free ports was found on 127.0.0.1.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # What lingers of a stack that just stopped is in nobody's way. What lingers of a
        # connection that the system gave this port is, in that of every server.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True
