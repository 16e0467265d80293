"""sockets - programs that are asked over a socket: how their places are written.

SUMMARY      await connect(protocol_factory, "unix:/path" or "inet:host:port") -> the protocol
             endpoint(text, directory) -> the same with the socket's whole path
RULES        without a host it is this machine; a path is below `directory` when it is relative
ERRORS       OSError
SOURCE       Postfix SMTPD_POLICY_README, SASL_README; postconf(5) queue_directory
"""

from __future__ import annotations

import asyncio
import posixpath
import socket
from collections.abc import Callable
from typing import TypeVar

Protocol = TypeVar("Protocol", bound=asyncio.BaseProtocol)


async def connect(factory: Callable[[], Protocol], place: str) -> Protocol:
    """Connect. Raises OSError."""
    loop = asyncio.get_running_loop()
    kind, _, rest = place.partition(":")
    if kind == "unix":
        _, made = await loop.create_unix_connection(factory, rest)
        return made
    host, _, port = (rest if kind == "inet" else place).rpartition(":")
    number = int(port) if port.isdecimal() else socket.getservbyname(port, "tcp")
    _, made = await loop.create_connection(factory, host.strip("[]") or "127.0.0.1", number)
    return made


def endpoint(text: str, directory: str) -> str:
    """ "private/auth" as unix:/var/spool/postfix/private/auth; inet:host:port as it is."""
    if text.startswith("inet:"):
        return text
    return f"unix:{posixpath.join(directory, text.removeprefix('unix:'))}"
