"""proxyheader - the first words of a connection through HAProxy: who the client really is.

SUMMARY      read(data, families) -> Header, or None: more octets are needed
RULES        version 1 is a line of text, version 2 is binary; both are taken, as they come
             version 2 LOCAL (a health check of the proxy) names nobody: the peer is the client
             UNKNOWN, an address family that is not spoken (inet_protocols), anything else: refused
LIMITS       LINE_LIMIT octets of a line, BLOCK_LIMIT of a block
ERRORS       ProxyHeaderError
SOURCE       The PROXY protocol, versions 1 and 2 (haproxy.org); postconf(5)
             smtpd_upstream_proxy_protocol
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

from delivery.errors import DeliveryError

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
PREFIX = b"PROXY "
LINE_LIMIT = 107  # octets of a line with its end; version 1, 2.1
BLOCK_LIMIT = 536  # octets of a version 2 header
_FIXED = 16  # octets before the addresses
_LOCAL, _PROXY = 0x20, 0x21  # version 2 and the command
_TCP4, _TCP6 = 0x11, 0x21


class ProxyHeaderError(DeliveryError):
    """The proxy's words make no sense, or name what we do not speak."""


@dataclass(frozen=True, slots=True)
class Header:
    """`length` octets were the header. Both ends are None when the peer is the client."""

    length: int
    client: tuple[str, int] | None = None
    server: tuple[str, int] | None = None


def read(data: bytes, families: tuple[str, ...]) -> Header | None:
    """The header at the beginning of `data`; None while it is not complete."""
    if data[:1] == SIGNATURE[:1]:
        if not data.startswith(SIGNATURE[: len(data)]):
            raise ProxyHeaderError("unrecognized protocol header")
        return _read_block(data, families)
    if not data.startswith(PREFIX[: len(data)]):
        raise ProxyHeaderError("unrecognized protocol header")
    end = data.find(b"\n", 0, LINE_LIMIT)
    if end >= 0:
        return _read_line(data[:end].decode("ascii", "replace"), end + 1, families)
    if len(data) >= LINE_LIMIT:
        raise ProxyHeaderError("the line does not end")
    return None


def _read_line(line: str, length: int, families: tuple[str, ...]) -> Header:
    words = line.split()
    family = {"TCP4": "ipv4", "TCP6": "ipv6"}.get(words[1] if len(words) > 1 else "")
    if family is None or family not in families:
        raise ProxyHeaderError("bad or missing protocol type")
    if len(words) < 6:
        raise ProxyHeaderError("bad or missing address or port")
    client = _address(words[2], family), _port(words[4])
    server = _address(words[3], family), _port(words[5])
    return Header(length, client, server)


def _address(text: str, family: str) -> str:
    kind = ipaddress.IPv4Address if family == "ipv4" else ipaddress.IPv6Address
    try:
        return str(kind(text))
    except ValueError:
        raise ProxyHeaderError("bad or missing address") from None


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5) or int(text) > 65535:
        raise ProxyHeaderError("bad or missing port")
    return int(text)


def _read_block(data: bytes, families: tuple[str, ...]) -> Header | None:
    if len(data) < _FIXED:
        return None
    command, kind, size = struct.unpack_from("!BBH", data, len(SIGNATURE))
    length = _FIXED + size
    if command not in (_LOCAL, _PROXY):
        raise ProxyHeaderError("bad command in proxy header")
    if length > BLOCK_LIMIT:
        raise ProxyHeaderError("the header is too long")
    if len(data) < length:
        return None
    if command == _LOCAL:
        return Header(length)
    width = {_TCP4: 4, _TCP6: 16}.get(kind)
    if width is None:
        raise ProxyHeaderError("unsupported network protocol")
    if ("ipv4" if width == 4 else "ipv6") not in families:
        raise ProxyHeaderError("an address family that is not spoken")
    if size < 2 * width + 4:
        raise ProxyHeaderError("bad or missing address or port")
    addresses = data[_FIXED : _FIXED + 2 * width]
    client, server = (
        str(ipaddress.ip_address(part)) for part in (addresses[:width], addresses[width:])
    )
    client_port, server_port = struct.unpack_from("!HH", data, _FIXED + 2 * width)
    return Header(length, (client, client_port), (server, server_port))
