"""keytext - left-hand sides of table entries, checked and in the form in which they are stored.

SUMMARY      access_key, address_key, alias_key, domain_key, transport_key, any_key: text -> key
RULES        the key is folded, its domain is A-labels; an address's local part is quoted where it
             must be, as it is when it is looked up; an alias is unquoted
             what can never be found is refused with the reason, such as 10.1.2. or 10.0.0.0/8
ERRORS       EntryError, its text a sentence for the administrator
NOT DONE     patterns of regexp, pcre and cidr tables: formats/
SOURCE       access(5), aliases(5), canonical(5), transport(5), virtual(5)
"""

from __future__ import annotations

import ipaddress
import re

from tables import addresses, domains, lexical
from tables.errors import AddressSyntaxError, EntryError

KEY_LIMIT = 1000  # bytes; no address is longer, and a database index takes it


def any_key(text: str) -> str:
    """Any text; blanks need quotes around it."""
    if not text.strip():
        raise EntryError("The key is empty.")
    if text != text.strip() or "\n" in text or "\x00" in text:
        raise EntryError("A key is one line without blanks around it.")
    if len(text.encode("utf-8", "replace")) > KEY_LIMIT:
        raise EntryError(f"A key is at most {KEY_LIMIT} bytes long.")
    return text.casefold()


def address_key(text: str) -> str:
    """user@domain, user, @domain, or <> for the empty sender. canonical(5), virtual(5)."""
    any_key(text)
    if text == "<>":  # postconf(5) empty_address_relayhost_maps_lookup_key
        return text
    if text.startswith("@"):
        return "@" + _domain(text[1:])
    if text.endswith("@"):  # only access tables are asked for it
        raise EntryError(f"{text} never matches here: write {text[:-1]}, without the @.")
    local, domain = _split(text)
    return f"{local}@{_domain(domain)}" if domain else local


def alias_key(text: str) -> str:
    """A name without a domain; unquoted. aliases(5)."""
    any_key(text)
    try:
        found = lexical.tokens(text)
    except AddressSyntaxError as error:
        raise EntryError(str(error)) from error
    if any(token.is_separator("@") for token in found):
        raise EntryError("An alias is a local name, without @ and domain.")
    if any(token.kind == "separator" for token in found):
        raise EntryError(f'"{text}" needs quotes around it to be an alias.')
    return " ".join(token.text for token in found).casefold()


def domain_key(text: str) -> str:
    """example.com, or .example.com for everything below it."""
    any_key(text)
    return "." + _domain(text[1:]) if text.startswith(".") else _domain(text)


def transport_key(text: str) -> str:
    """user@domain, domain, .domain, "*", or <> for the empty address. transport(5)."""
    any_key(text)
    if text in ("*", "<>"):
        return text
    if text.startswith("@"):
        raise EntryError(f"For all of a domain write {text[1:]}, without the @.")
    return address_key(text) if "@" in text else domain_key(text)


_PREFIX = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){0,3}")


def access_key(text: str) -> str:
    """user@domain, domain, .domain, user@, an address or its beginning, <>, or another name."""
    any_key(text)
    if text.endswith(".") and _PREFIX.fullmatch(text[:-1]):
        raise EntryError(f"{text} never matches: write {text[:-1]}, without the last dot.")
    if "/" in text and _is_network(text):
        raise EntryError(f"{text} never matches here: use a table of the type cidr.")
    if _PREFIX.fullmatch(text) or ":" in text or text == "<>":
        return text.casefold()  # addresses, fingerprints, the empty sender
    if text.startswith("@"):
        raise EntryError(f"For all of a domain write {text[1:]}, without the @.")
    if text.endswith("@"):
        return _split(text[:-1])[0] + "@"
    if "@" in text:
        return address_key(text)
    body = text.removeprefix(".")
    if domains.is_plain_host(body) or not body.isascii():
        return domain_key(text)
    return text.casefold()  # a login name or a HELO name of any shape


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _split(text: str) -> tuple[str, str]:
    """(quoted and folded local part, domain or '')."""
    try:
        items = lexical.internal_items(text)
    except AddressSyntaxError as error:
        raise EntryError(str(error)) from error
    if len(items) != 1:
        raise EntryError(f"{text!r} is not one address; blanks and commas need quotes.")
    local, at, domain = items[0].rpartition("@")
    if not at:
        local, domain = items[0], ""
    if not local:
        raise EntryError(f'There is nothing before the "@" in {text!r}.')
    return addresses.quote_local(local).casefold(), domain


def _domain(text: str) -> str:
    try:
        if domains.is_address_literal(text):
            domains.parse_literal(text)
            return text.casefold()
        return domains.parse_domain(text, literal_underscore=True)
    except AddressSyntaxError as error:
        raise EntryError(str(error)) from error
