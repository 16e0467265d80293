"""domains - domain names, address literals and networks.

SUMMARY      text -> folded name (A-labels, lower case, no final dot); parents; literals; networks
RULES        names are stored and looked up as A-labels; display() gives the U-labels for people
             a network item is 192.0.2.0/24, 192.0.2.1 or [2001:db8::]/32, with "!" to exclude it
ERRORS       AddressSyntaxError, its text a sentence for the administrator
NOT DONE     DNS
SOURCE       RFC 1035 2.3.1, RFC 5321 4.1.2 and 4.1.3, RFC 5891, postconf(5) mynetworks,
             Postfix valid_hostname(3)
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import idna

from tables.errors import AddressSyntaxError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# valid_hostname(3) takes the underscore, which is common in the wild
HOST_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
DOMAIN_LIMIT = 255  # octets; RFC 5321 4.5.3.1.2
LABEL_LIMIT = 63  # octets; RFC 1035 2.3.4


@lru_cache(maxsize=4096)  # asked several times about each domain of a message
def is_plain_host(domain: str) -> bool:
    """True for an ASCII host name as Postfix's valid_hostname(3) takes it, without a final dot."""
    if not domain or domain.strip(HOST_CHARACTERS) or len(domain) > DOMAIN_LIMIT:
        return False
    if domain[0] in "-." or domain[-1] in "-." or ".." in domain:
        return False
    if "-" in domain and (".-" in domain or "-." in domain):
        return False
    if len(domain) > LABEL_LIMIT and any(len(label) > LABEL_LIMIT for label in domain.split(".")):
        return False
    # all digits and dots: an address that lost its brackets
    return not (domain[-1].isdigit() and not domain.strip("0123456789."))


def to_ascii(domain: str) -> str:
    """Lower-case A-labels of a name, or the name where IDNA cannot tell. Never raises."""
    if domain.isascii():
        return domain.lower()
    try:
        return idna.encode(domain, uts46=True, transitional=False).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        return domain.lower()


def parse_domain(text: str, *, literal_underscore: bool = False) -> str:
    """The name as it is stored and looked up: A-labels, lower case, without a final dot.

    `literal_underscore` also takes "_" (peers use it). Raises AddressSyntaxError. RFC 5891 5.
    """
    name = text[:-1] if text.endswith(".") else text
    if not name:
        raise AddressSyntaxError("The domain is missing.")
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True, transitional=False).decode("ascii")
        except (idna.IDNAError, UnicodeError) as error:
            raise AddressSyntaxError(f"{text!r} is not a domain name: {error}") from error
    name = name.lower()
    if not is_plain_host(name) or ("_" in name and not literal_underscore):
        raise AddressSyntaxError(_what_is_wrong(name))
    return name


def _what_is_wrong(name: str) -> str:
    if not name.strip("0123456789."):
        return f"{name!r} is an IP address, not a domain name; as a domain write it as [{name}]."
    if wrong := name.strip(HOST_CHARACTERS.replace("_", "")):
        return f"The character {wrong[0]!r} cannot be part of a domain name."
    if len(name) > DOMAIN_LIMIT:
        return f"The domain name is longer than {DOMAIN_LIMIT} characters."
    for label in name.split("."):
        if not label:
            return f"Two dots follow each other, or a dot is first, in {name!r}."
        if len(label) > LABEL_LIMIT:
            return f"The label {label!r} is longer than {LABEL_LIMIT} characters."
    return f"A part of {name!r} begins or ends with a hyphen, or has an underscore."


def display(domain: str) -> str:
    """The name for people: U-labels where it has any. Never raises."""
    if "xn--" not in domain:
        return domain
    try:
        return idna.decode(domain)
    except (idna.IDNAError, UnicodeError):
        return domain


def parents(domain: str) -> Iterator[str]:
    """example.com, com for www.example.com: nearest first, without the name itself."""
    while True:
        _, dot, domain = domain.partition(".")
        if not dot or not domain:
            return
        yield domain


@dataclass(frozen=True, slots=True)
class Literal:
    """An address literal; `text` is its canonical form with brackets. RFC 5321 4.1.3."""

    address: IPAddress

    @property
    def text(self) -> str:
        return f"[IPv6:{self.address}]" if self.address.version == 6 else f"[{self.address}]"


def is_address_literal(text: str) -> bool:
    """True when the text is in brackets; parse_literal tells if what is in them is right."""
    return text[:1] == "[" and text[-1:] == "]"


def parse_literal(text: str) -> Literal:
    """ "[192.0.2.1]" or "[IPv6:2001:db8::1]". Raises AddressSyntaxError. RFC 5321 4.1.3."""
    inner = text[1:-1]
    try:
        if inner[:5].lower() == "ipv6:":
            return Literal(ipaddress.IPv6Address(inner[5:]))
        return Literal(ipaddress.IPv4Address(inner))
    except ValueError as error:
        raise AddressSyntaxError(f"{text!r} is not an address literal: {error}") from error


@dataclass(frozen=True, slots=True)
class NetworkItem:
    """One network of a list such as mynetworks; `excluded` when it was written with "!"."""

    network: IPNetwork
    excluded: bool = False


def parse_network(text: str) -> NetworkItem:
    """ "10.0.0.0/8", "192.0.2.1", "[2001:db8::]/32", "2001:db8::1", "!10.1.0.0/16".

    Host bits must be zero, as in Postfix. Raises AddressSyntaxError. postconf(5) mynetworks.
    """
    body = text.lstrip("!")
    excluded = (len(text) - len(body)) % 2 == 1
    address, slash, length = body.partition("/")
    if address[:1] == "[" and address[-1:] == "]":
        address = address[1:-1]
        if ":" not in address:
            raise AddressSyntaxError(f"Brackets are for IPv6 addresses only, not {text!r}.")
    try:
        network = ipaddress.ip_network(f"{address}{slash}{length}")
    except ValueError as error:
        raise AddressSyntaxError(f"{text!r} is not a network: {error}.") from error
    return NetworkItem(network, excluded)
