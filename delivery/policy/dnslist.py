"""dnslist - DNS lists: reject_rbl_client, reject_rhsbl_..., permit_dnswl_client, ...

INPUT        an address (reversed, octets or nibbles) or a domain name, before the list's own domain
ARGUMENT     list.example or list.example=127.0.0.[2..11;14]: only these answers count
VERDICTS     listed: 554 5.7.1 in the words of rbl_reply_maps or default_rbl_reply
RULES        a list that does not answer has nobody (reject), or somebody perhaps (permit)
             a permit counts only for recipients that we would take mail for anyway
SOURCE       postconf(5) reject_rbl_client, default_rbl_reply; Postfix ip_match(3); RFC 5782
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace

from delivery.policy import macros, names
from delivery.policy.case import CLIENT, HELO, RECIPIENT, REVERSE_CLIENT, SENDER, Case, Subject
from delivery.policy.client import NAMELESS
from delivery.policy.facts import DnsUnavailable, Stage
from delivery.policy.recipient import is_authorised
from delivery.policy.registry import restriction
from delivery.policy.verdict import (
    DUNNO,
    PERMIT,
    Abort,
    Verdict,
    defer_if_reject,
    fit_enhanced,
    reject,
    server_error,
    split_enhanced,
)
from tables.domains import to_ascii
from tables.errors import EntryError, TableUnavailable
from tables.expansion import expand
from tables.restrictions import Argument

TEXT_LIMIT = 500  # characters of TXT records in a reply; smtpd_check(3) RBL_TXT_LIMIT
_REPLY = re.compile(r"[45]\d\d ")
_OCTET = re.compile(r"\[([0-9.;]+)\]|(\d+)")


@dataclass(frozen=True, slots=True)
class DnsList:
    """A parsed argument. `octets` holds four sets of values that count; None: all do."""

    text: str
    domain: str
    octets: tuple[frozenset[int], ...] | None = None

    def accepts(self, address: str) -> bool:
        """True when the list's answer is one that counts."""
        if self.octets is None:
            return True
        parts = address.split(".")
        return len(parts) == 4 and all(
            int(part) in allowed for part, allowed in zip(parts, self.octets, strict=True)
        )


def parse(text: str) -> DnsList:
    """ "list.example=127.0.0.[2..11;14]". Raises EntryError. Postfix ip_match(3)."""
    domain, equals, pattern = text.partition("=")
    if not domain:
        raise EntryError(f"{text!r}: the name of a DNS list is missing.")
    if not equals:
        return DnsList(text, domain)
    octets: list[frozenset[int]] = []
    place = 0
    while len(octets) < 4:
        match = _OCTET.match(pattern, place)
        if match is None:
            raise EntryError(f"{text!r}: after = write four numbers, or [a..b;c] for several.")
        octets.append(_octet(text, match[1] or match[2]))
        place = match.end()
        if len(octets) < 4:
            if pattern[place : place + 1] != ".":
                raise EntryError(f"{text!r}: after = write four numbers with dots between them.")
            place += 1
    if place != len(pattern):
        raise EntryError(f"{text!r}: there is something after the fourth number.")
    return DnsList(text, domain, tuple(octets))


def _octet(text: str, pattern: str) -> frozenset[int]:
    values: set[int] = set()
    for item in pattern.split(";"):
        first, dots, last = item.partition("..")
        if not first.isdecimal() or (dots and not last.isdecimal()):
            raise EntryError(f"{text!r}: {item!r} is neither a number nor a range a..b.")
        low, high = int(first), int(last or first)
        if high > 255 or low > high:
            raise EntryError(f"{text!r}: {item!r} is not within 0..255.")
        values.update(range(low, high + 1))
    return frozenset(values)


def reversed_address(address: str) -> str:
    """ "2.0.0.127" or 32 nibbles. RFC 5782 2.1, 2.4."""
    number = ipaddress.ip_address(address)
    if number.version == 4:
        return ".".join(reversed(address.split(".")))
    return ".".join(reversed(number.exploded.replace(":", "")))


async def _listed(case: Case, dns_list: DnsList, name: str) -> bool:
    answers = await case.ask.resolver.a(f"{name}.{dns_list.domain}")
    return any(dns_list.accepts(answer) for answer in answers)


async def _refuse_listed(case: Case, dns_list: DnsList, name: str, subject: Subject) -> Verdict:
    """Refuse when `name` is on the list; `subject` is what the reply shows."""
    try:
        if not await _listed(case, dns_list, name):
            return DUNNO
    except DnsUnavailable as error:
        return replace(DUNNO, warning=f"{name}.{dns_list.domain}: RBL lookup error: {error}")
    try:
        texts = await case.ask.resolver.txt(f"{name}.{dns_list.domain}")
    except DnsUnavailable:
        texts = ()
    return _reply(case, dns_list, subject, " / ".join(texts)[:TEXT_LIMIT])


async def _permit_listed(case: Case, dns_list: DnsList, name: str, subject: Subject) -> Verdict:
    recipient = case.facts.recipient
    if case.facts.stage is Stage.RCPT and recipient and not is_authorised(case, recipient):
        return DUNNO  # postconf(5) permit_dnswl_client: never a reason to relay
    try:
        return PERMIT if await _listed(case, dns_list, name) else DUNNO
    except DnsUnavailable:
        return defer_if_reject(450, "4.7.1", subject.rejected("Service unavailable"))


def _reply(case: Case, dns_list: DnsList, subject: Subject, reason: str) -> Verdict:
    """The refusal in the list's own words. postconf(5) rbl_reply_maps, default_rbl_reply."""
    try:
        template = case.partners.rbl_reply_maps.get(dns_list.text, case.lookups)
    except TableUnavailable as error:
        raise Abort(server_error(f"rbl_reply_maps: {error}")) from error
    values = _values(case, dns_list, subject, reason)
    warning = ""
    try:
        said = expand(template or case.settings.default_rbl_reply, values.get, recurse=False)
    except EntryError as error:
        warning = f"bad rbl reply template for {dns_list.domain}: {error}"
        said = expand(case.settings.default_rbl_reply, values.get, recurse=False)
    if _REPLY.match(said) is None:
        warning = f"rbl response code configuration error: {said}"
        return replace(reject(450, "4.7.1", "Service unavailable"), warning=warning)
    status, words = split_enhanced(said[4:], "4.7.1")
    verdict = reject(
        int(said[:3]), fit_enhanced(status, subject.kind), words or "Service unavailable"
    )
    return replace(verdict, warning=warning) if warning else verdict


def _values(case: Case, dns_list: DnsList, subject: Subject, reason: str) -> dict[str, str]:
    """What $name stands for in a reply, made harmless. postconf(5) smtpd_expansion_filter."""
    values = {
        "rbl_code": str(case.settings.maps_rbl_reject_code),
        "rbl_domain": dns_list.domain,
        "rbl_reason": reason,
        "rbl_txt": reason,
        "rbl_what": subject.name,
        "rbl_class": subject.kind,
    }
    allowed = macros.letters(case.settings.smtpd_expansion_filter)
    own = {name: macros.harmless(value, allowed) for name, value in values.items()}
    return macros.of(case.facts, allowed) | own


def _list_name(domain: str) -> str | None:
    """The name to ask a list of domains for, None when there is no point: literals, numbers."""
    if not domain or domain.startswith("[") or domain.rpartition(".")[2].isdecimal():
        return None
    name = to_ascii(domain)
    return name if names.is_host_name(name) else None


@restriction("reject_rbl_client", Argument.DOMAIN)
async def reject_rbl_client(case: Case, dns_list: DnsList) -> Verdict:
    """554 5.7.1 (maps_rbl_reject_code): the client's address is on the list."""
    address = case.facts.client.address
    subject = Subject(address, CLIENT)
    return await _refuse_listed(case, dns_list, reversed_address(address), subject)


@restriction("permit_dnswl_client", Argument.DOMAIN)
async def permit_dnswl_client(case: Case, dns_list: DnsList) -> Verdict:
    """The client's address is on the list of good ones."""
    address = case.facts.client.address
    subject = Subject(address, CLIENT)
    return await _permit_listed(case, dns_list, reversed_address(address), subject)


@restriction("reject_maps_rbl")
async def reject_maps_rbl(case: Case, _: None) -> Verdict:
    """The old word: reject_rbl_client for every list of maps_rbl_domains."""
    for text in case.settings.maps_rbl_domains:
        verdict = await reject_rbl_client(case, parse(text))
        if verdict != DUNNO:
            return verdict
    return DUNNO


async def _refuse_name(
    case: Case, dns_list: DnsList, shown: str, domain: str, kind: str
) -> Verdict:
    name = _list_name(domain)
    if name is None:
        return DUNNO
    return await _refuse_listed(case, dns_list, name, Subject(shown, kind))


@restriction("reject_rhsbl_client", Argument.DOMAIN)
async def reject_rhsbl_client(case: Case, dns_list: DnsList) -> Verdict:
    """554 5.7.1: the client's verified name is on the list."""
    name = case.facts.client.name
    if name.lower() == NAMELESS:
        return DUNNO
    return await _refuse_name(case, dns_list, name, name, CLIENT)


@restriction("permit_rhswl_client", Argument.DOMAIN)
async def permit_rhswl_client(case: Case, dns_list: DnsList) -> Verdict:
    """The client's verified name is on the list of good ones."""
    shown = case.facts.client.name
    name = None if shown.lower() == NAMELESS else _list_name(shown)
    if name is None:
        return DUNNO
    return await _permit_listed(case, dns_list, name, Subject(shown, CLIENT))


@restriction("reject_rhsbl_reverse_client", Argument.DOMAIN)
async def reject_rhsbl_reverse_client(case: Case, dns_list: DnsList) -> Verdict:
    """554 5.7.1: the client's unverified name is on the list."""
    name = case.facts.client.reverse_name
    if name.lower() == NAMELESS:
        return DUNNO
    return await _refuse_name(case, dns_list, name, name, REVERSE_CLIENT)


@restriction("reject_rhsbl_helo", Argument.DOMAIN)
async def reject_rhsbl_helo(case: Case, dns_list: DnsList) -> Verdict:
    """554 5.7.1: the HELO name is on the list."""
    helo = case.facts.helo
    return DUNNO if helo is None else await _refuse_name(case, dns_list, helo, helo, HELO)


@restriction("reject_rhsbl_sender", Argument.DOMAIN)
async def reject_rhsbl_sender(case: Case, dns_list: DnsList) -> Verdict:
    """554 5.7.1: the sender's domain is on the list."""
    sender = case.facts.sender
    if not sender:
        return DUNNO
    domain = sender.domain or sender.local
    return await _refuse_name(case, dns_list, sender.internal, domain, SENDER)


@restriction("reject_rhsbl_recipient", Argument.DOMAIN)
async def reject_rhsbl_recipient(case: Case, dns_list: DnsList) -> Verdict:
    """554 5.7.1: the recipient's domain is on the list."""
    recipient = case.facts.recipient
    if recipient is None:
        return DUNNO
    domain = recipient.domain or recipient.local
    return await _refuse_name(case, dns_list, recipient.internal, domain, RECIPIENT)
