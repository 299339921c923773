"""The ports of an emulator, while it starts and while it runs."""

import errno
import os
import socket
import struct
from contextlib import ExitStack
from pathlib import Path

import pytest

from tenantry_cli.emulator.ports import PortInUseError, Ports

# Of Linux: the ports from which an outgoing connection gets one. It only narrows the range of
# the system.
IP_LOCAL_PORT_RANGE = 51


def claim_among_outgoing() -> tuple[Ports, ExitStack]:
    """Claims ports that an outgoing connection can get, as the default ports are."""
    lowest, highest = map(
        int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    )
    for gateway in range(lowest, highest - 10, 10):
        try:
            return Ports(gateway), Ports(gateway).claim()
        except PortInUseError:
            continue
    raise AssertionError("No block of ports is free.")


def connect_from(port: int, server: socket.socket) -> socket.socket:
    """An outgoing connection to which the system can give this port alone."""
    connection = socket.socket()
    try:
        connection.setsockopt(
            socket.IPPROTO_IP, IP_LOCAL_PORT_RANGE, struct.pack("HH", port, port)
        )
        connection.connect(server.getsockname())
    except OSError as error:
        connection.close()
        if error.errno == errno.ENOPROTOOPT:
            pytest.skip("This kernel cannot limit the ports of an outgoing connection.")
        raise
    return connection


def can_connect_from(port: int, server: socket.socket) -> bool:
    try:
        connect_from(port, server).close()
    except OSError:
        return False
    return True


def test_outgoing_connection_cannot_get_a_claimed_port_before_its_component_starts() -> None:
    ports, claim = claim_among_outgoing()
    components = range(ports.gateway, ports.functions + 1)
    with socket.create_server(("127.0.0.1", 0)) as other:
        with claim:
            for port in components:
                with pytest.raises(OSError, match=os.strerror(errno.EADDRNOTAVAIL)):
                    connect_from(port, other).close()
                # The component itself can.
                socket.create_server(("127.0.0.1", port)).close()

        # Another process may have got some of them meanwhile.
        assert any(can_connect_from(port, other) for port in components)
