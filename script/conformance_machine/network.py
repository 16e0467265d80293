"""network - the wires of a machine: the server on one side, everybody else on the other.

SUMMARY      Network(about).connect(client, port) -> socket; .server, .descriptor
RULES        two network namespaces and a pair of interfaces between them. In the one of this
             process every address is local: clients come from any address, and whatever address the
             server speaks to answers. The other one is the server's, with the addresses of the
             scenario, and nothing but a default route.
SOURCE       FORMAT.md, The machine of a scenario; ip-route(8) (local routes), ip(7) IP_FREEBIND
"""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from conformance_machine.namespaces import enter_network, new_network

T = TypeVar("T")
REPLY_S = 20.0  # how long a client waits
_IP_FREEBIND, _IPV6_FREEBIND = 15, 78  # linux/in.h, linux/in6.h
_SAME_ADDRESS = "02:00:00:00:00:01"


class Network:
    """The network of one scenario."""

    def __init__(self, about: Mapping[str, Any], unreachable: Sequence[str]) -> None:
        """`about` is "network" of scenario.json."""
        addresses = about.get("server", ["192.0.2.10/24"])
        self.server = addresses[0].partition("/")[0]
        self.server6 = about["server6"].partition("/")[0] if about.get("server6") else None
        self.descriptor = new_network()
        outside = ["link set lo up", "link add outside type veth peer name inside"]
        outside.append(f"link set inside netns /proc/{os.getpid()}/fd/{self.descriptor}")
        inside = ["link set lo up"]
        if self.server6:  # no neighbour discovery: both ends have one hardware address
            outside.append(f"link set outside address {_SAME_ADDRESS} arp off")
            inside.append(f"link set inside address {_SAME_ADDRESS} arp off")
        outside.append("link set outside up")
        inside.append("link set inside up")
        for address in addresses:
            inside.append(f"addr add {address} dev inside")
            outside.append(f"route add {address.partition('/')[0]}/32 dev outside")
        inside.append("route add default dev inside")
        outside.append("route add local 0.0.0.0/0 dev lo table main")
        _ip(outside)
        inside += [f"route add unreachable {each}" for each in unreachable if ":" not in each]
        self._inside(inside)
        if self.server6:
            self._add_ipv6(about["server6"], unreachable)

    def _add_ipv6(self, address: str, unreachable: Sequence[str]) -> None:
        bare = address.partition("/")[0]
        inside = [f"addr add {address} dev inside nodad", "route add default dev inside"]
        inside += [f"route add unreachable {each}" for each in unreachable if ":" in each]
        self._inside(inside, "-6")
        _ip(
            [f"route add {bare}/128 dev outside", "route add local ::/0 dev lo table main"],
            "-6",
        )

    def _inside(self, lines: Sequence[str], *options: str) -> None:
        _ip(lines, *options, enter=lambda: enter_network(self.descriptor))

    def at_server(self, make: Callable[[], T]) -> T:
        """What `make` returns when it runs in the server's network: a socket stays there."""
        found: list[T] = []
        trouble: list[OSError] = []

        def run() -> None:
            try:
                enter_network(self.descriptor)
                found.append(make())
            except OSError as error:
                trouble.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if trouble:
            raise trouble[0]
        return found[0]

    def connect(self, client: str, port: int) -> socket.socket:
        """A connection to the server from an address; 127.x, ::1 and its own come from inside."""
        is_inside = client.startswith("127.") or client in ("::1", self.server, self.server6)
        if client == "::1":
            target = client
        elif ":" in client:
            target = self.server6 or "::1"
        else:
            target = "127.0.0.1" if client.startswith("127.") else self.server

        def make() -> socket.socket:
            made = socket.socket(socket.AF_INET6 if ":" in client else socket.AF_INET)
            try:
                made.settimeout(REPLY_S)
                made.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
                if ":" in client:
                    made.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
                made.bind((client, 0))
                made.connect((target, port))
            except OSError:
                made.close()
                raise
            return made

        return self.at_server(make) if is_inside else make()


def _ip(lines: Sequence[str], *options: str, enter: Callable[[], None] | None = None) -> None:
    done = subprocess.run(
        ["ip", *options, "-batch", "-"],  # noqa: S607 - where the system has it
        input="".join(f"{line}\n" for line in lines),
        text=True,
        capture_output=True,
        preexec_fn=enter,
        check=False,
    )
    if done.returncode:
        raise OSError(f"ip: {done.stderr.strip() or done.stdout.strip()}")
