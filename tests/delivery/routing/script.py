"""script - golden scripts for routing: what becomes of addresses under a configuration.

name = value            a parameter; an empty value takes it away
table hash:name         the lines below, indented, are "key  value"; regexp:name: patterns
own ADDRESS             an address of this machine
complete A              the address as rewriting leaves it
class DOMAIN            its address class
resolve A [from S]      class, transport:nexthop, final recipient
sender A                the envelope sender as queued
expand A[, A ...]       the envelope recipients as queued
copies S, A[, A ...]    the same, with BCC recipients for mail from S
unlisted A [as sender]  the refusal
"""

from __future__ import annotations

from pathlib import Path

from delivery.errors import SmtpFailure
from delivery.routing.resolve import Resolution
from delivery.routing.router import Router
from delivery.values import Recipient
from tables.addresses import Address, parse_path
from tables.errors import TableUnavailable
from tables.parameters import Parameters
from tests.delivery.twins_policy import MemoryTables

BASE = {
    "myhostname": "mail.my.domain",
    "mydestination": "my.domain, mail.my.domain",
    "local_recipient_maps": "",
}


class Script:
    """One run of one script."""

    def __init__(self) -> None:
        self.raw = dict(BASE)
        self.tables = MemoryTables()
        self.own: list[str] = []
        self._router: Router | None = None

    def run(self, text: str) -> str:
        """The .ref text."""
        lines = [line.rstrip() for line in text.splitlines() if line.strip()]
        out: list[str] = []
        place = 0
        while place < len(lines):
            line = lines[place]
            place += 1
            out.append(f">>> {line}")
            body: list[str] = []
            while place < len(lines) and lines[place][0] in " \t":
                body.append(lines[place].strip())
                place += 1
            out.extend(f"        {entry}" for entry in body)
            out.extend(self._line(line, body))
        return "\n".join(out) + "\n"

    def _line(self, line: str, body: list[str]) -> list[str]:
        word, _, rest = line.partition(" ")
        if line.startswith("#"):
            return []
        if rest.startswith("= ") or rest == "=":
            self.raw[word] = rest[1:].strip()
        elif word == "table":
            self._table(rest, body)
        elif word == "own":
            self.own.append(rest)
        else:
            return self._ask(word, rest)
        self._router = None
        return []

    def _table(self, reference: str, body: list[str]) -> None:
        if reference.startswith(("regexp:", "pcre:", "cidr:")):
            self.tables.add_source(reference, "\n".join(body) + "\n")
        else:
            pairs = (entry.partition("  ") for entry in body)
            self.tables.add(reference, {key: value.strip() for key, _, value in pairs})

    @property
    def router(self) -> Router:
        if self._router is None:
            self._router = Router(Parameters(self.raw), self.tables, self.own)
        return self._router

    def _ask(self, word: str, rest: str) -> list[str]:
        try:
            return self._answer(word, rest)
        except TableUnavailable:
            return ["TableUnavailable"]
        except SmtpFailure as failure:
            return [f"{failure.code} {failure.enhanced} {failure.text} ({failure.cause})"]

    def _answer(self, word: str, rest: str) -> list[str]:
        match word:
            case "complete":
                return [_text(self.router.rewriter.complete(_address(rest)))]
            case "class":
                return [self.router.address_class(rest).value]
            case "resolve":
                first, _, sender = rest.partition(" from ")
                known = self.router.resolve(_address(first), _address(sender) if sender else None)
                return [_shown(known)]
            case "sender":
                return [_text(self.router.sender(_address(rest)))]
            case "expand":
                return self._expand(rest.split(", "), None)
            case "copies":
                sender, *recipients = rest.split(", ")
                return self._expand(recipients, _address(sender))
            case "unlisted":
                first, _, role = rest.partition(" as ")
                refusal = self.router.unlisted(_address(first), as_sender=role == "sender")
                if refusal is None:
                    return ["listed"]
                return [f"{refusal.code} {refusal.enhanced} {refusal.text}"]
            case _:
                raise ValueError(f"no such command: {word}")

    def _expand(self, texts: list[str], sender: Address | None) -> list[str]:
        given = [Recipient(address=_address(text), original=_address(text)) for text in texts]
        expansion = self.router.expand(given, copies_for=sender)
        return [_text(recipient.address) for recipient in expansion.recipients]


def _address(text: str) -> Address:
    return parse_path(text, smtputf8=True)


def _text(address: Address) -> str:
    return f"<{address.text}>"


def _shown(known: Resolution) -> str:
    flags = (" routed" if known.is_routed else "") + (" bad" if known.is_bad else "")
    route = f"{known.route.transport}:{known.route.nexthop}"
    return f"{known.address_class.value} {route} <{known.recipient.text}>{flags}"


def run(path: Path) -> str:
    """The .ref text of one .in file."""
    return Script().run(path.read_text())
