"""keys - the lookup keys of a subject, most specific first.

SUMMARY      address_keys       canonical, virtual, generic, relocated, BCC, recipients, senders
             alias_keys         aliases
             access_mail        access tables asked for a sender or recipient
             access_client, access_domain, access_address   the same for clients and names
             transport_keys     transport tables
             next_hop_keys      TLS policy
             credential_keys    passwords for other servers
             docs/TABLES.md says for every parameter which of them is used
RULES        address_keys: user+ext@dom, user@dom, [local domain: user+ext, user], @dom
             alias_keys: one name; local(8) asks for user+ext, then for user
             access_mail: user+ext@dom, user@dom, dom and its parents, user+ext@, user@
             access_client: the name and its parents, the address and its beginnings
             transport: user+ext@dom, user@dom, dom and its parents, "*"
             next_hop_keys: what is no plain host name only as it stands, a name with its parents
             a local part that needs quotes is asked for with them first, then without
             parents: example.com, com with `parent` (parent_domain_matches_subdomains), otherwise
             .example.com, .com; an IP address has none
             a key that is only a part of the subject is `partial`: pattern tables do not see it.
             Next hops and aliases are the exceptions, as in Postfix
             keys keep their case, tables fold; a domain beyond ASCII becomes A-labels
             who asks for the null sender puts a key of its own in its place: smtpd_null_access_
             lookup_key, empty_address_relayhost_maps_lookup_key and the like
ERRORS       none; nothing is read here
NOT DONE     asking: reading/lookup.py
SOURCE       access(5), aliases(5), transport(5), virtual(5); Postfix mail_addr_find(3),
             smtpd_check(3), transport.c, local/alias.c, smtp_tls_policy.c, smtp_sasl_glue.c
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from tables.addresses import Address, quote_local, split_extension
from tables.domains import is_address_literal, is_plain_host, to_ascii
from tables.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Key:
    """One key. `extension` is what was cut off the user name for it, with its delimiter."""

    text: str
    partial: bool = False
    extension: str = ""


def address_keys(
    address: Address, *, delimiter: str = "", is_local: bool = False
) -> tuple[Key, ...]:
    """Keys of a table of addresses. `is_local`: the domain is $myorigin or in $mydestination.

    Source: mail_addr_find(3) with its default strategy.
    """
    at = f"@{_domain(address.domain)}" if address.domain else ""
    keys = _user_keys(address.local, delimiter, at)
    if at:
        if is_local:
            keys += _user_keys(address.local, delimiter, "", partial=True)
        keys.append(Key(at, True))
    return tuple(keys)


def alias_keys(local: str) -> tuple[Key, ...]:
    """Keys of a table of local names, for one name: user+ext, or user. aliases(5).

    Pattern tables see both names: local(8) asks for the user as for any other one, when it found
    nothing for all of it.
    """
    return tuple(_forms(local))


def access_mail(address: Address, *, delimiter: str = "", parent: bool = True) -> tuple[Key, ...]:
    """Keys of an access table for a sender or recipient. access(5) EMAIL ADDRESS PATTERNS."""
    domain = _domain(address.domain)
    keys = _user_keys(address.local, delimiter, f"@{domain}" if domain else "")
    if domain:
        keys.append(Key(domain, True))
        keys += [Key(name, True) for name in _parents(domain, parent)]
        keys += _user_keys(address.local, delimiter, "@", partial=True)
    return tuple(keys)


def access_domain(domain: str, *, parent: bool = True) -> tuple[Key, ...]:
    """Keys of an access table for a host or domain name; an address has no parents. access(5)."""
    name = _domain(domain)
    keys = [Key(name)] if name else []
    if not _is_numeric(name):
        keys += [Key(each, True) for each in _parents(name, parent)]
    return tuple(keys)


def access_address(address: str) -> tuple[Key, ...]:
    """Keys of an access table for an IP address: 192.0.2.1, 192.0.2, 192.0, 192. access(5)."""
    delimiter = ":" if ":" in address else "."
    keys = [Key(address)]
    while delimiter in address:
        address = address.rpartition(delimiter)[0]
        if address:
            keys.append(Key(address, True))
    return tuple(keys)


def access_client(name: str, address: str, *, parent: bool = True) -> tuple[Key, ...]:
    """Keys of an access table for a client: its name and parents before its address. access(5)."""
    return access_domain(name, parent=parent) + access_address(address)


def transport_keys(
    address: Address, *, delimiter: str = "", parent: bool = False
) -> tuple[Key, ...]:
    """Keys of a transport table. transport(5) TABLE SEARCH ORDER."""
    domain = _domain(address.domain)
    keys = _user_keys(address.local, delimiter, f"@{domain}" if domain else "")
    if domain:
        keys.append(Key(domain, True))
        keys += [Key(name, True) for name in _parents(domain, parent)]
    keys.append(Key("*"))
    return tuple(keys)


def next_hop_keys(destination: str) -> tuple[Key, ...]:
    """Keys of a TLS policy table: the next hop as written; of a plain host name .parents too.

    Pattern tables see all of them. postconf(5) smtp_tls_policy_maps.
    """
    name = _domain(destination)
    if not is_plain_host(name):
        return (Key(destination),)
    return (Key(name), *(Key(each) for each in _parents(name, False)))


def credential_keys(host: str, destination: str) -> tuple[Key, ...]:
    """Keys of a password table: the server's name, then the next hop as written.

    With smtp_sender_dependent_authentication the sender's address_keys are asked before.
    postconf(5) smtp_sasl_password_maps.
    """
    return (Key(host),) if host == destination else (Key(host), Key(destination))


def _user_keys(local: str, delimiter: str, at: str, *, partial: bool = False) -> list[Key]:
    """user+ext, user, each with `at` behind it; `partial`: that is not all of the address."""
    keys = _forms(local, at, partial)
    if delimiter:
        user, extension = split_extension(local, delimiter)
        if extension is not None:
            keys += _forms(user, at, True, local[len(user) :])
    return keys


def _forms(local: str, at: str = "", partial: bool = False, extension: str = "") -> list[Key]:
    """Keys of the external form, then of the internal one where it differs."""
    if not local:
        return []
    quoted = quote_local(local)
    keys = [Key(quoted + at, partial, extension)]
    if quoted != local:
        keys.append(Key(local + at, partial, extension))
    return keys


def _domain(domain: str) -> str:
    return domain if domain.isascii() else to_ascii(domain)


def _parents(domain: str, bare: bool) -> Iterator[str]:
    """example.com, com or .example.com, .com for www.example.com."""
    if is_address_literal(domain):
        return
    dot = domain.find(".", 1)
    while dot >= 0:
        if parent := domain[dot + 1 :] if bare else domain[dot:]:
            yield parent
        dot = domain.find(".", dot + 1)


def _is_numeric(name: str) -> bool:
    """An IPv4 or IPv6 address in place of a name."""
    if not name[-1:].isdigit() and ":" not in name:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
