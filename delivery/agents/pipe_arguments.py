"""pipe_arguments - the words behind "pipe" in master.cf: who runs what, and how the message looks.

SUMMARY      parse_pipe(words) -> PipeAttributes; make_argv(...) -> the command, macros filled in
FLAGS        B blank line at the end, D Delivered-To, F From_ line, O X-Original-To, R Return-Path,
             X final delivery, h u fold host, user, q quote addresses, . stuff dots, > quote From_
RULES        words are read up to argv=, which takes all that follow
             an argument with a macro of a recipient comes once for each recipient
             values are filled in as they are, never looked into for further macros, and each
             stays in one argument: no shell sees them
ERRORS       PipeError: what is wrong with the service, for the log
SOURCE       pipe(8); Postfix pipe.c
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from delivery.values import Recipient
from tables import expansion
from tables.addresses import Address, quote_local, split_extension
from tables.errors import EntryError
from tables.escapes import unescape

FLAGS = frozenset("BDFORX.>hqu")
_OF_RECIPIENT = frozenset(
    {"recipient", "original_recipient", "user", "extension", "mailbox", "domain"}
)
OF_MESSAGE = frozenset(
    {"nexthop", "sender", "size", "queue_id", "envid"}
    | {"client_address", "client_hostname", "client_port", "client_protocol", "client_helo"}
    | {"sasl_method", "sasl_username", "sasl_sender"}
)


class PipeError(ValueError):
    """The service cannot work like this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipeAttributes:
    """What master.cf says. `size`: the largest message, 0 for any."""

    argv: tuple[str, ...]
    user: str
    group: str = ""
    flags: frozenset[str] = frozenset()
    directory: str = ""
    chroot: str = ""
    eol: str = "\n"
    null_sender: str = "MAILER-DAEMON"
    size: int = 0


def parse_pipe(words: Sequence[str]) -> PipeAttributes:
    """The attributes of a service. Raises PipeError."""
    values: dict[str, str] = {}
    argv: tuple[str, ...] = ()
    for number, word in enumerate(words):
        name, equals, value = word.partition("=")
        name = name.lower()
        if name == "argv" and equals:
            argv = tuple(item for item in (value, *words[number + 1 :]) if item)
            break
        if not equals or name not in _ATTRIBUTES:
            raise PipeError(f"unknown attribute name: {word}")
        values[name] = value
    if not argv:
        raise PipeError("missing argv= command-line attribute")
    if not values.get("user"):
        raise PipeError("missing user= command-line attribute")
    user, _, group = values["user"].partition(":")
    if unknown := set(values.get("flags", "")) - FLAGS:
        raise PipeError(f"unknown flag: {''.join(sorted(unknown))}")
    size = values.get("size", "0")
    if not size.isascii() or not size.isdecimal():
        raise PipeError(f"bad size= value: {size}")
    for item in argv:
        _check_macros(item)
    return PipeAttributes(
        argv=argv,
        user=user,
        group=group,
        flags=frozenset(values.get("flags", "")),
        directory=values.get("directory", ""),
        chroot=values.get("chroot", ""),
        eol=unescape(values.get("eol", "\\n")),
        null_sender=values.get("null_sender", "MAILER-DAEMON"),
        size=int(size),
    )


_ATTRIBUTES = frozenset(
    {"flags", "user", "directory", "chroot", "eol", "null_sender", "size", "argv"}
)


def _check_macros(item: str) -> None:
    try:
        unknown = expansion.names(item) - _OF_RECIPIENT - OF_MESSAGE
    except EntryError as error:
        raise PipeError(str(error)) from error
    if unknown:
        raise PipeError(f'unknown macro name: "{min(unknown)}"')


def make_argv(
    attributes: PipeAttributes,
    facts: Mapping[str, str],
    recipients: Sequence[Recipient],
    *,
    delimiter: str,
) -> tuple[str, ...]:
    """The command; `facts` has a value for every name of OF_MESSAGE."""
    found: list[str] = []
    for item in attributes.argv:
        if expansion.names(item) & _OF_RECIPIENT:
            for recipient in recipients:
                values = {**facts, **_of_recipient(recipient, attributes.flags, delimiter)}
                found.append(expansion.expand(item, values.get, recurse=False))
        else:
            found.append(expansion.expand(item, facts.get, recurse=False))
    return tuple(text.replace("\0", "_") for text in found)


def _of_recipient(recipient: Recipient, flags: frozenset[str], delimiter: str) -> dict[str, str]:
    plain = _fold(recipient.address, flags)
    user, extension = split_extension(plain.local, delimiter)
    return {
        "recipient": shown_address(plain, flags),
        "original_recipient": shown_address(_fold(recipient.original, flags), flags),
        "user": user,
        "extension": extension or "",
        "mailbox": plain.local,
        "domain": plain.domain,
    }


def shown_address(address: Address, flags: frozenset[str]) -> str:
    """The address as the flag q wants it."""
    if "q" not in flags:
        return address.internal
    local = quote_local(address.local) if address.local else ""
    return f"{local}@{address.domain}" if address.domain else local


def _fold(address: Address, flags: frozenset[str]) -> Address:
    local = address.local.casefold() if "u" in flags else address.local
    domain = address.domain.casefold() if "h" in flags else address.domain
    return Address(local, domain)
