"""handshake - TLS begins on a connection of a client that is there already.

SUMMARY      await begin(transport, protocol, context, within_s=..., came=...) -> the transport of
             what is said inside, None when it came to nothing
RULES        what the transport has read of the handshake before it could begin comes first
ERRORS       OSError (ssl.SSLError among them), ValueError, RuntimeError
SOURCE       RFC 8446; asyncio loop.start_tls
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from delivery.runtime import eager


async def begin(
    transport: asyncio.Transport,
    protocol: asyncio.Protocol,
    context: ssl.SSLContext,
    *,
    within_s: float,
    came: bytes = b"",
) -> asyncio.Transport | None:
    """The handshake. Until this waits nothing is read."""
    loop = asyncio.get_running_loop()
    begun = eager.first(
        loop.start_tls(
            transport, protocol, context, server_side=True, ssl_handshake_timeout=within_s
        )
    )
    if came:
        loop.call_soon(_have_read, transport, came)  # once TLS has the transport, before it reads
    return await begun if isinstance(begun, eager.Rest) else begun


def _have_read(transport: asyncio.Transport, data: bytes) -> None:
    """As if the transport had read that just now."""
    protocol: Any = transport.get_protocol()  # an asyncio.BufferedProtocol
    while data and not transport.is_closing():
        buffer = protocol.get_buffer(len(data))
        size = min(len(buffer), len(data))
        buffer[:size] = data[:size]
        protocol.buffer_updated(size)
        data = data[size:]
