"""local_case - what is known while one recipient is expanded, step by step, and what came of it.

SUMMARY      Case (frozen: each step makes its own), Rights (whose), Ledger (what was done)
RULES        a step never changes the case of the step before: what an alias sets holds below it
             the ledger remembers what was delivered to, so that nothing is delivered to twice
LIMITS       the ledger remembers duplicate_filter_limit things, LEVEL_LIMIT steps below each other,
             DESTINATION_LIMIT destinations in all
SOURCE       Postfix local/local.h DELIVER_ATTR, USER_ATTR; been_here(3), forward.c
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from delivery.agents.base import Part
from delivery.values import Outcome, Recipient, Route, Status
from tables import expansion
from tables.addresses import Address, split_extension
from tables.errors import EntryError

LEVEL_LIMIT = 100  # Postfix alias.c
DESTINATION_LIMIT = 100_000
NOBODY = Address("", "")
_PLAIN_NAME = re.compile(r"\$(?:(\w+)|\{(\w+)\}|\((\w+)\))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """Whose rights files and commands are used with. `user` '': nobody's were chosen yet.

    `of_user`: chosen by a file that a user may write, not by the administrator.
    """

    user: str = ""
    uid: int = 0
    home: str = ""
    shell: str = ""
    of_user: bool = False

    @property
    def is_privileged(self) -> bool:
        """True when default_privs must stand in."""
        return not self.user or self.uid == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One step. Addresses are complete; `local`, `domain`, `user`, `extension` are in lower case.

    `original` is NOBODY below an alias with an owner. `unmatched` is the extension that what an
    alias or a file names will get. `owner`: who is told of failures, or who forwards; local names
    of others are then entered as a new message. `source`: what named this: alias, forward,
    include, or '' at the top. `came_from`: the name that is being expanded.
    """

    level: int
    sender: Address
    address: Address
    original: Address
    notify: frozenset[str]
    orcpt: str
    local: str = ""
    domain: str = ""
    user: str = ""
    extension: str | None = None
    unmatched: str | None = None
    owner: str | None = None
    delivered: Address = NOBODY
    source: str = ""
    came_from: str = ""

    @property
    def recipient(self) -> Recipient:
        """As a recipient of its own, for logs and reports."""
        return Recipient(
            address=self.address,
            original=self.address if self.original == NOBODY else self.original,
            notify=self.notify,
            orcpt=self.orcpt,
        )

    @property
    def delimiter(self) -> str:
        """What stands between user and extension."""
        return self.local[len(self.user) : len(self.user) + 1]

    @property
    def folded(self) -> str:
        """The address in lower case, unquoted."""
        return self.address.internal.casefold()


def first_case(recipient: Recipient, sender: Address) -> Case:
    """The case that an expansion begins with."""
    return Case(
        level=0,
        sender=sender,
        address=recipient.address,
        original=recipient.original,
        notify=recipient.notify,
        orcpt=recipient.orcpt,
    )


def split_user(local: str, delimiter: str) -> tuple[str, str, str | None]:
    """(local, user, extension), folded; an extension with "/" in it is dropped: it names a file."""
    local = local.lower()
    user, extension = split_extension(local, delimiter)
    if extension is not None and "/" in extension:
        return user, user, None
    return local, user, extension


@dataclass(slots=True)
class Ledger:
    """What was done for one recipient of the message."""

    limit: int  # postconf(5) duplicate_filter_limit; 0: none
    most: int = DESTINATION_LIMIT
    parts: list[Part] = field(default_factory=list)
    forwards: dict[tuple[Address, Address], list[Recipient]] = field(default_factory=dict)
    passed_on: set[Recipient] = field(default_factory=set)
    destinations: int = 0  # named so far
    _seen: set[str] = field(default_factory=set)

    def was_here(self, *what: object) -> bool:
        """True when this was done before; from now on it was."""
        key = self._key(what)
        if key in self._seen:
            return True
        if self.limit <= 0 or len(self._seen) < self.limit:
            self._seen.add(key)
        return False

    def knows(self, *what: object) -> bool:
        """True when this was done before."""
        return self._key(what) in self._seen

    def note(
        self,
        case: Case,
        dsn: str,
        reason: str,
        *,
        relay: str,
        where: str = "",
        owner: Address | None = None,
        route: Route | None = None,
    ) -> bool:
        """Write down what came of a case; True when it has to be tried again."""
        status = {"2": Status.SENT, "4": Status.DEFERRED}.get(dsn[0], Status.BOUNCED)
        outcome = Outcome(
            recipient=case.recipient,
            status=status,
            dsn=dsn,
            reason=reason,
            relay=relay,
            delivered_to=where,
        )
        self.parts.append(Part(outcome=outcome, owner=owner, route=route))
        return status is Status.DEFERRED

    def announce(self, case: Case, reason: str, *, relay: str, where: str = "") -> None:
        """Something that only a report of success tells. RFC 3461 5.2.7"""
        outcome = Outcome(
            recipient=case.recipient,
            status=Status.SENT,
            dsn="2.0.0",
            reason=reason,
            relay=relay,
            delivered_to=where,
            is_expanded=not where,
        )
        self.parts.append(Part(outcome=outcome, is_news=True))

    def forward(self, case: Case) -> None:
        """Hand this case's address on as a recipient of a new message."""
        recipients = self.forwards.setdefault((case.delivered, case.sender), [])
        recipients.append(case.recipient)

    @staticmethod
    def _key(what: tuple[object, ...]) -> str:
        return " ".join(map(str, what)).casefold()


@dataclass(frozen=True, slots=True)
class Template:
    """An expanded template: `text` is None when a name in it has no value."""

    text: str | None
    used_extension: bool


def expand(template: str, case: Case, rights: Rights, *, allowed: str, default: str) -> Template:
    """Fill in $user, $home ...; characters that are not `allowed` become "_" ('': all are).

    `default`: the first character of recipient_delimiter. Raises EntryError.
    """
    values: dict[str, str | None] = {
        "user": case.user,
        "home": rights.home or None,
        "shell": rights.shell or None,
        "domain": case.domain or None,
        "local": case.local,
        "mailbox": case.local,
        "recipient": case.address.internal,
        "extension": case.extension,
        "recipient_delimiter": (case.delimiter or default) or None,
    }
    plain = {next(filter(None, match)) for match in _PLAIN_NAME.findall(template)}
    outer = [piece for is_reference, piece in expansion.split(template) if is_reference]
    if any(name.isidentifier() and values.get(name) is None for name in outer):
        return Template(None, False)
    text = expansion.expand(template, _censored(values, allowed), recurse=False)
    return Template(text, "extension" in plain and case.extension is not None)


def _censored(values: dict[str, str | None], allowed: str) -> Callable[[str], str | None]:
    def lookup(name: str) -> str | None:
        value = values.get(name)
        return value if value is None else censor(value, allowed)

    return lookup


def censor(text: str, allowed: str) -> str:
    """The text with "_" for every character that is not among `allowed` ('': all are)."""
    if not allowed:
        return text
    return "".join(
        character
        if character in allowed
        else "_" * len(character.encode("utf-8", "surrogatepass"))  # octet by octet, as in C
        for character in text
    )


__all__ = [
    "DESTINATION_LIMIT",
    "LEVEL_LIMIT",
    "NOBODY",
    "Case",
    "EntryError",
    "Ledger",
    "Rights",
    "Template",
    "censor",
    "expand",
    "first_case",
    "split_user",
]
