"""ports - ports for the servers of tests, on loopback.

They lie below the range from which the kernel takes the ports of outgoing connections
(ip_local_port_range, 32768 and above): a port from that range may be taken by any connection of
another test between the moment when it is found free and the moment when its server binds it.
"""

from __future__ import annotations

import random
import socket

FIRST, LAST = 12_000, 32_000
TRIES = 100


def free_port() -> int:
    """A port that nothing listens on at the moment, neither by TCP nor by UDP."""
    for _ in range(TRIES):
        port = random.SystemRandom().randint(FIRST, LAST)
        if all(_is_free(port, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)):
            return port
    raise OSError(f"no free port found between {FIRST} and {LAST}")


def _is_free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(type=kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
