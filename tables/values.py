"""values - right-hand sides of table entries: what they mean, and how they are written.

SUMMARY      parse_recipients  virtual(5)    "a@x, b@y, @z"      -> Address, ...
             parse_rewrite     canonical(5), generic(5), bcc     -> one Address
             parse_transport   transport(5)  "smtp:[gw]:2525"    -> Transport
             parse_action      access(5)     "REJECT go away"    -> Action
             parse_check_action  header_checks(5)                -> Action
RULES        the engine reads with the same functions that a form checks with
             "@other.example" among addresses keeps the user name: Address('', 'other.example')
ERRORS       EntryError, its text a sentence for the administrator
NOT DONE     destinations of aliases: destinations.py
SOURCE       access(5), canonical(5), header_checks(5), transport(5), virtual(5)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tables import domains, lexical
from tables.addresses import Address
from tables.errors import AddressSyntaxError, EntryError


def parse_text(text: str) -> str:
    """Any text but an empty one, which Postfix would take for a broken table."""
    if not text.strip():
        raise EntryError("The value is empty.")
    if "\n" in text or "\x00" in text:
        raise EntryError("A value is one line of text.")
    return text.strip()


# --- addresses -------------------------------------------------------------------------------


def parse_recipients(text: str) -> tuple[Address, ...]:
    """The addresses of a virtual alias, in order. virtual(5)."""
    found = tuple(read_address(item) for item in _items(text))
    if not found:
        raise EntryError("There is no address.")
    return found


def parse_rewrite(text: str) -> Address:
    """The one address of a canonical, generic or bcc entry."""
    found = parse_recipients(text)
    if len(found) > 1:
        raise EntryError(f"One address is expected, not {len(found)}.")
    return found[0]


def print_recipients(found: Iterable[Address]) -> str:
    """The value of a virtual alias."""
    return ", ".join(address.text if address.local else f"@{address.domain}" for address in found)


def find_slip(text: str, found: Iterable[Address]) -> Address | None:
    """The address that is hardly meant: "a@@b" is read as "a@"@b, but was written without quotes.

    Postfix reads it so too; to whoever fills in a form it is worth a question.
    """
    for address in found:
        if address.local and address.text.startswith('"'):  # @domain has no user name
            plain = f"{address.local}@" if address.domain else address.local
            if plain in text:
                return address
    return None


def read_address(item: str) -> Address:
    """One unquoted address of a value: user@domain, user or @domain."""
    local, at, domain = item.rpartition("@")
    if not at:
        local, domain = item, ""
    elif not domain:
        raise EntryError(f'After the "@" of {item!r} a domain must follow.')
    try:
        if domain and domains.is_address_literal(domain):
            domains.parse_literal(domain)
        elif domain and not (domain.islower() and domains.is_plain_host(domain)):
            domain = domains.parse_domain(domain, literal_underscore=True)
    except AddressSyntaxError as error:
        raise EntryError(str(error)) from error
    return Address(local, domain)


def _items(text: str) -> list[str]:
    try:
        return lexical.internal_items(text)
    except AddressSyntaxError as error:
        raise EntryError(str(error)) from error


# --- transports ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Transport:
    """transport:nexthop; '' for the one means: as it would be without this entry. transport(5)."""

    transport: str
    nexthop: str = ""

    @property
    def text(self) -> str:
        """As it stands in a transport table."""
        return f"{self.transport}:{self.nexthop}"


_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # all but the tab
_SERVICE_NAME = re.compile(r"[A-Za-z0-9_.-]*")


def parse_transport(text: str) -> Transport:
    """transport:nexthop, transport:, transport or :nexthop. transport(5)."""
    transport, _, nexthop = text.strip().partition(":")
    transport, nexthop = transport.strip(), nexthop.strip()
    if _CONTROL.search(nexthop):
        raise EntryError(f"There is a control character inside the next hop {nexthop!r}.")
    if not _SERVICE_NAME.fullmatch(transport):
        raise EntryError(
            f"Write transport:nexthop; {transport!r} cannot be the name of a transport."
        )
    if transport not in ("error", "retry", "discard") and re.search(r"\s", nexthop):
        raise EntryError(f"There is a space inside the next hop {nexthop!r}.")
    if nexthop.startswith("[") and "]" not in nexthop:
        raise EntryError(f'The closing "]" is missing in {nexthop!r}.')
    return Transport(transport, nexthop)


# --- actions ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What an access or header_checks entry does.

    `verb` is the upper-case word (REJECT, OK ...), "CODE" for a three-digit reply code with text,
    or "RESTRICTIONS" for anything else: restriction names and classes. `argument` is what a verb
    needs (the filter, the address, the header); `text` what is said or logged.
    """

    verb: str
    code: int = 0
    enhanced: str = ""
    text: str = ""
    argument: str = ""


# verbs whose text is said to the client, with an enhanced code before it if there is one
_SAYING = frozenset({"REJECT", "DEFER", "DEFER_IF_PERMIT", "DEFER_IF_REJECT", "BOUNCE"})
# verbs that need an argument of a certain form, and what to say when it is missing
_NEEDING: dict[str, tuple[str, str]] = {
    "FILTER": (r"[^\s:]+:.*", "FILTER needs transport:nexthop after it."),
    "REDIRECT": (r"\S+@\S+", "REDIRECT needs an address, user@example.com, after it."),
    "BCC": (r"\S+@\S+", "BCC needs an address, user@example.com, after it."),
    "PREPEND": (r"[!-9;-~]+:.*", "PREPEND needs a header, Name: text, after it."),
    "REPLACE": (r".+", "REPLACE needs the new text after it."),
}
ACCESS_VERBS = frozenset(
    {"OK", "DUNNO", "RELAY", "REJECT", "DEFER", "DEFER_IF_PERMIT", "DEFER_IF_REJECT", "DISCARD"}
    | {"HOLD", "INFO", "WARN", "FILTER", "REDIRECT", "BCC", "PREPEND"}
)
CHECK_VERBS = frozenset(
    {"DUNNO", "REJECT", "DISCARD", "HOLD", "INFO", "WARN", "FILTER", "REDIRECT", "BCC"}
    | {"PREPEND", "REPLACE", "IGNORE", "STRIP", "OK", "PASS"}
)
_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:\s+|$)")


def parse_action(text: str) -> Action:
    """The action of an access table. access(5)."""
    word, rest = _first_word(parse_text(text))
    verb = word.upper()
    if verb in ACCESS_VERBS:
        return _action(verb, rest)
    if word.isascii() and word.isdigit():
        if not rest:
            return Action(verb="OK")  # access(5): an all-numerical result is OK
        if len(word) == 3 and word[0] in "45":
            enhanced, said = _split_enhanced(rest)
            if enhanced and enhanced[0] != word[0]:
                raise EntryError(f"The codes {word} and {enhanced} do not agree.")
            return Action(verb="CODE", code=int(word), enhanced=enhanced, text=said)
        raise EntryError(f"A reply code is 4NN or 5NN, not {word}.")
    if ":" in text and not text.lower().startswith("check_"):
        raise EntryError(f"A table cannot be named here: {text!r}. Use a restriction class.")
    return Action(verb="RESTRICTIONS", argument=text.strip())


def parse_check_action(text: str) -> Action:
    """The action of a header_checks or body_checks table. header_checks(5)."""
    word, rest = _first_word(parse_text(text))
    verb = word.upper()
    if verb not in CHECK_VERBS:
        raise EntryError(f"There is no action {word}; known are {', '.join(sorted(CHECK_VERBS))}.")
    return _action(verb, rest)


def _action(verb: str, rest: str) -> Action:
    if verb in _SAYING:
        enhanced, said = _split_enhanced(rest)
        return Action(verb=verb, enhanced=enhanced, text=said)
    if verb in _NEEDING:
        pattern, sentence = _NEEDING[verb]
        if not re.fullmatch(pattern, rest):
            raise EntryError(sentence)
        return Action(verb=verb, argument=rest)
    if verb in ("OK", "RELAY", "DUNNO"):
        return Action(verb=verb)  # what follows is a remark
    return Action(verb=verb, text=rest)


def _first_word(text: str) -> tuple[str, str]:
    word, _, rest = text.replace("\t", " ").partition(" ")
    return word, rest.strip()


def _split_enhanced(text: str) -> tuple[str, str]:
    """(enhanced status code or '', the rest). RFC 3463 2."""
    match = _ENHANCED.match(text)
    return (match[1], text[match.end() :]) if match else ("", text)
