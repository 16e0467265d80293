"""proxies - what a trusted proxy says of its client: XCLIENT and XFORWARD, and their attributes.

SUMMARY      parse_xclient(text, families), parse_xforward(...) -> attribute -> value, None for one
             that the proxy does not know
             xforward(envelope, queue_id, offered) -> the commands that tell the next server
RULES        values are xtext (RFC 3461 4); [UNAVAILABLE] is known to be none, [TEMPUNAVAIL] none
             for now; a name is a host name, an IPv6 address has the prefix IPV6: of RFC 5321 4.1.3
             nothing is taken of a command with a mistake in it
ERRORS       Mistake, with Postfix's words
SOURCE       Postfix XCLIENT_README, XFORWARD_README, smtpd(8)
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping

from delivery.printable import printable
from delivery.smtp import replies
from delivery.smtp.grammar import neuter
from delivery.smtp.replies import Mistake
from delivery.values import Envelope
from delivery.xtext import xtext_encode
from tables.domains import is_plain_host

XCLIENT = "XCLIENT NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT"
XFORWARD = "XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT"
UNAVAILABLE = "[UNAVAILABLE]"
TEMPORARY = "[TEMPUNAVAIL]"
VALUE_LIMIT = 255
SHORT_VALUE_LIMIT = 64  # of XFORWARD's PROTO and IDENT

_CUT_CODE = re.compile(r"\+[0-9A-F]?\Z")
_HEX = re.compile(r"\+([0-9A-Fa-f]{2})")

Attributes = Mapping[str, str | None]
Read = Callable[[str, "Families"], str]
Families = tuple[str, ...]


class Bad(ValueError):
    """The value is not of the form that its attribute has."""


def _host(value: str, _: Families) -> str:
    if not is_plain_host(value):
        raise Bad
    return value


def _address(value: str, families: Families) -> str:
    try:
        if value[:5].upper() == "IPV6:":
            if "ipv6" in families:
                return str(ipaddress.IPv6Address(value[5:]))
        elif "ipv4" in families:
            return str(ipaddress.IPv4Address(value))
    except ValueError as error:
        raise Bad from error
    raise Bad


def _port(value: str, _: Families) -> str:
    if not (value.isascii() and value.isdigit() and len(value) <= 5):
        raise Bad
    return value


def _helo(value: str, _: Families) -> str:
    return neuter(value)


def _protocol(value: str, _: Families) -> str:
    if value.upper() not in ("SMTP", "ESMTP"):
        raise Bad
    return value.upper()


def _source(value: str, _: Families) -> str:
    if value.upper() not in ("LOCAL", "REMOTE"):
        raise Bad
    return value.upper()


def _text(value: str, _: Families) -> str:
    return value


def _short_text(value: str, _: Families) -> str:
    if len(value) > SHORT_VALUE_LIMIT:
        raise Bad
    return value


_XCLIENT: Mapping[str, Read] = {
    "NAME": _host,
    "REVERSE_NAME": _host,
    "ADDR": _address,
    "PORT": _port,
    "HELO": _helo,
    "PROTO": _protocol,
    "LOGIN": _text,
    "DESTADDR": _address,
    "DESTPORT": _port,
}
_XFORWARD: Mapping[str, Read] = {
    "NAME": _host,
    "ADDR": _address,
    "PORT": _port,
    "HELO": _helo,
    "PROTO": _short_text,
    "IDENT": _short_text,
    "SOURCE": _source,
}
_NEVER_UNAVAILABLE = ("PROTO", "SOURCE")


def parse_xclient(text: str, families: Families) -> tuple[Attributes, bool]:
    """The attributes, and whether a name is unknown only for now."""
    return _parse("XCLIENT", _XCLIENT, text, families)


def parse_xforward(text: str, families: Families) -> Attributes:
    """The attributes."""
    return _parse("XFORWARD", _XFORWARD, text, families)[0]


def xforward(envelope: Envelope, queue_id: str, offered: str) -> list[str]:
    """XFORWARD commands with those attributes that the server offered to take.

    Two of them: it is a short line that every server reads.
    """
    client = envelope.client
    address = client.address if client else UNAVAILABLE
    protocol = envelope.protocol.upper()
    known = {
        "NAME": client.name if client and client.name != "unknown" else UNAVAILABLE,
        "ADDR": f"IPV6:{address}" if client and client.is_ipv6 else address,
        "PORT": str(client.port) if client else UNAVAILABLE,
        "PROTO": "SMTP" if protocol == "SMTP" else "ESMTP" if "SMTP" in protocol else "",
        "HELO": envelope.helo or UNAVAILABLE,
        "IDENT": queue_id,
        "SOURCE": "LOCAL" if envelope.is_local else "REMOTE",
    }
    wanted = offered.upper().split()
    lines = []
    for names in (("NAME", "ADDR", "PORT"), ("PROTO", "HELO", "IDENT", "SOURCE")):
        words = [
            f"{name}={_coded(known[name])}" for name in names if name in wanted and known[name]
        ]
        if words:
            lines.append(f"XFORWARD {' '.join(words)}")
    return lines


def _coded(value: str) -> str:
    if value == UNAVAILABLE:
        return value
    return _CUT_CODE.sub("", xtext_encode(value)[:VALUE_LIMIT])


def _parse(
    verb: str, known: Mapping[str, Read], text: str, families: Families
) -> tuple[Attributes, bool]:
    words = text.split()
    if not words:
        raise Mistake(replies.reply(501, "5.5.4", f"Syntax: {verb} attribute=value..."))
    found: dict[str, str | None] = {}
    is_temporary = False
    for word in words:
        name, _, coded = word.partition("=")
        name = name.upper()
        value = _decode(coded)
        if name not in known:
            raise Mistake(replies.reply(501, "5.5.4", f"Bad {verb} attribute name: {name}"))
        is_missing = value.upper() in (UNAVAILABLE, TEMPORARY)
        if is_missing and name not in _NEVER_UNAVAILABLE:
            found[name] = None
            is_temporary = is_temporary or value.upper() == TEMPORARY
            continue
        try:
            found[name] = known[name](value, families)
        except Bad:
            raise Mistake(replies.reply(501, "5.5.4", f"Bad {name} syntax: {value}")) from None
    return found, is_temporary


def _decode(coded: str) -> str:
    """The value that an xtext stands for, without anything unprintable."""
    if not coded:
        raise Mistake(replies.reply(501, "5.5.4", "Error: attribute=value expected"))
    if len(coded) > VALUE_LIMIT:
        raise Mistake(replies.reply(501, "5.5.4", "Error: attribute value too long"))
    octets = _HEX.sub(lambda match: chr(int(match[1], 16)), coded)
    try:
        value = octets.encode("latin-1").decode("utf-8")
    except UnicodeError:
        value = octets
    return printable(value)
