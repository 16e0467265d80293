"""nexthop - what the next hop of a route names: a host or a domain, and a port.

SUMMARY      parse_nexthop("[gw.example]:587", default_port) -> NextHop
             parse_lmtp_nexthop("unix:private/lmtp", 24) -> NextHop
FORMS        example.com  example.com:26  [host]  [host]:26  [192.0.2.1]  [IPv6:2001:db8::1]:26
             [2001:db8::1]; a service name may stand for the port
             of LMTP alone: unix:path, inet:host:port
RULES        brackets mean: this host, no MX look-up; LMTP never looks for MX records
ERRORS       ValueError with a reason for the log
SOURCE       transport(5), smtp(8); Postfix host_port(3), smtp_parse_destination
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass, replace
from functools import lru_cache

from tables.domains import to_ascii

REMEMBERED = 1000  # much mail goes to few destinations
_BRACKETS = re.compile(r"\[([^\[\]\s]*)\](?::([^:\s]+))?\Z")
_PLAIN = re.compile(r"([^:\[\]\s]+)(?::([^:\s]+))?\Z")


@dataclass(frozen=True, slots=True)
class NextHop:
    """`host` is a domain to look up MX records for, or with `is_literal` a host or an address.

    With `is_path` it is the path of a socket on this machine, and `port` is 0.
    """

    host: str
    port: int
    is_literal: bool = False
    is_path: bool = False


@lru_cache(REMEMBERED)
def parse_nexthop(text: str, default_port: int) -> NextHop:
    """The parts of a next hop. Raises ValueError."""
    match = _BRACKETS.match(text)
    is_literal = match is not None
    match = match or _PLAIN.match(text)
    if match is None or not match[1]:
        raise ValueError(f"bad next hop: {text[:100]!r}")
    host = match[1]
    if is_literal and host[:5].lower() == "ipv6:":
        host = host[5:]
    if not is_literal and not host.isascii():
        host = to_ascii(host)
    return NextHop(host.rstrip("."), parse_port(match[2], default_port), is_literal)


def parse_lmtp_nexthop(text: str, default_port: int) -> NextHop:
    """The same for LMTP. Raises ValueError."""
    kind, colon, rest = text.partition(":")
    if colon and kind == "unix":
        if not rest:
            raise ValueError(f"bad next hop: {text[:100]!r}")
        return NextHop(rest, 0, is_literal=True, is_path=True)
    hop = parse_nexthop(rest if colon and kind == "inet" else text, default_port)
    return replace(hop, is_literal=True)


@lru_cache(REMEMBERED)
def is_ip_address(text: str) -> bool:
    """True for an IPv4 or IPv6 address without brackets."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def parse_port(text: str | None, default_port: int) -> int:
    """A number, or the name of a service; nothing and "smtp" are the default. Else ValueError."""
    if text is None or text == "smtp":
        return default_port
    if text.isascii() and text.isdecimal():
        if 0 < int(text) < 65536:
            return int(text)
        raise ValueError(f"bad port: {text[:20]!r}")
    try:
        return socket.getservbyname(text, "tcp")
    except OSError as error:
        raise ValueError(f"unknown service: {text[:50]!r}") from error
