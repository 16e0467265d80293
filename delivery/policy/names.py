"""names - is this text a host name, a literal, a full name? What the syntax restrictions ask.

RULES        one final dot does not count; a name of digits and dots alone is no name
             with SMTPUTF8 a name may have U-labels
SOURCE       Postfix valid_hostname(3), valid_mailhost_addr(3)
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from tables.domains import is_plain_host, to_ascii


def without_dot(name: str) -> str:
    """The name without its final dot; "x.." stays as it is, so that it is refused."""
    if len(name) > 1 and name[-1] == "." and name[-2] != ".":
        return name[:-1]
    return name


def is_host_name(name: str, *, utf8: bool = False) -> bool:
    """valid_hostname(3)."""
    if name.isascii():
        return is_plain_host(name)
    return utf8 and is_plain_host(to_ascii(name))


@lru_cache(maxsize=4096)  # asked about the HELO, sender and recipient of each message
def is_full_name(text: str, utf8: bool) -> bool:
    """A host name with a dot in it."""
    name = without_dot(text)
    return "." in name and is_host_name(name, utf8=utf8)


def is_host_address(text: str) -> bool:
    """valid_hostaddr(3): a bare IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def literal_address(text: str) -> str | None:
    """The bare address in "192.0.2.1" or "IPv6:2001:db8::1" (brackets taken off), or None."""
    try:
        if text[:5].lower() == "ipv6:":
            return str(ipaddress.IPv6Address(text[5:]))
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        return None


def in_brackets(text: str) -> str | None:
    """What "[...]" holds, None without brackets."""
    return text[1:-1] if len(text) > 2 and text[0] == "[" and text[-1] == "]" else None
