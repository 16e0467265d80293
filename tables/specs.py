"""specs - the types and kinds of lookup tables, and the reference type:name.

SUMMARY      TYPES name -> TableType: how a table is kept and searched (hash, regexp, cidr, static)
             KINDS name -> Kind: what its keys and values mean (access, aliases, virtual ...)
             KIND_OF_PARAMETER parameter -> the kind of the tables that it names
             parse_reference("hash:virtual") -> TableReference
RULES        the one list of both; forms, compiler and engine read it
ERRORS       EntryError for a reference that names no type we have, and for keys and values
NOT DONE     the order in which keys are asked: keys.py
SOURCE       DATABASE_README, postconf(1) -m, access(5), aliases(5), virtual(5), transport(5) ...
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from tables import destinations, keytext, values
from tables.errors import EntryError


@dataclass(frozen=True, slots=True, kw_only=True)
class TableType:
    """One way to keep a table.

    `indexed`: one entry for each key. `ordered`: entries are patterns, tried one after the other.
    `inline`: all of it stands in the reference itself.
    """

    name: str
    help: str
    indexed: bool = False
    ordered: bool = False
    inline: bool = False

    @property
    def has_rows(self) -> bool:
        """True when entries can be edited as rows and have a source text."""
        return not self.inline


_INDEXED = {
    "hash": "An indexed table: one entry for each key.",
    "btree": "Another name of hash, kept for imported configurations.",
    "cdb": "Another name of hash, kept for imported configurations.",
    "dbm": "Another name of hash, kept for imported configurations.",
    "lmdb": "Another name of hash, kept for imported configurations.",
    "texthash": "Like hash; in Postfix it needs no postmap command.",
}
_ORDERED = {
    "regexp": "POSIX regular expressions, tried in order.",
    "pcre": "Perl-compatible regular expressions, tried in order.",
    "cidr": "Networks and addresses, tried in order.",
}
_INLINE = {
    "inline": "A few entries written in place: inline:{ key=value, { key = long value } }.",
    "static": "The same value for every key: static:value.",
    "unionmap": "All values of several tables together: unionmap:{type:name, type:name}.",
    "pipemap": "A table whose value is the next table's key: pipemap:{type:name, type:name}.",
    "randmap": "A value taken at random: randmap:{value, value}.",
    "fail": "Every look-up fails: fail:reason.",
    "unix": "Accounts or groups of this machine: unix:passwd.byname, unix:group.byname.",
}
TYPES: dict[str, TableType] = {
    **{n: TableType(name=n, help=h, indexed=True) for n, h in _INDEXED.items()},
    **{n: TableType(name=n, help=h, ordered=True) for n, h in _ORDERED.items()},
    **{n: TableType(name=n, help=h, inline=True) for n, h in _INLINE.items()},
}
# Types of Postfix that are not here, with what to do instead.
UNSUPPORTED: dict[str, str] = {
    "nis": "put the entries into a table",
    "nisplus": "put the entries into a table",
    "netinfo": "put the entries into a table",
    "sdbm": "use hash",
    "environ": "put the entries into a table",
    "ldap": "write the entries through the API",
    "mysql": "write the entries through the API",
    "pgsql": "write the entries through the API",
    "sqlite": "write the entries through the API",
    "mongodb": "write the entries through the API",
    "memcache": "use hash",
    "socketmap": "write the entries through the API",
    "tcp": "write the entries through the API",
    "internal": "use hash",
}


@dataclass(frozen=True, slots=True)
class TableReference:
    """type:name as a parameter holds it; for inline types `name` is the content."""

    type: str
    name: str

    @property
    def text(self) -> str:
        return f"{self.type}:{self.name}"


_PREFIX = re.compile(r"(?:proxy:|proxywrite:)*([A-Za-z0-9_-]+):(.*)", re.DOTALL)
_TABLE_NAME = re.compile(r"[^\s,{}\x00-\x1f\x7f]+")


def is_reference(text: str) -> bool:
    """True for the type:name of any type of Postfix, also one that is not supported."""
    match = _PREFIX.fullmatch(text)
    return match is not None and (match[1] in TYPES or match[1] in UNSUPPORTED)


def parse_reference(text: str) -> TableReference:
    """type:name; proxy: before it has no meaning here and is dropped. Raises EntryError."""
    match = _PREFIX.fullmatch(text.strip())
    if match is None:
        raise EntryError(f"Name a table as type:name, for instance hash:{text}, not {text!r}.")
    type_name, name = match[1], match[2]
    if type_name in UNSUPPORTED:
        raise EntryError(
            f"Tables of the type {type_name} are not supported: {UNSUPPORTED[type_name]}."
        )
    if type_name not in TYPES:
        raise EntryError(f"There is no table type {type_name!r}; known are {', '.join(TYPES)}.")
    if name.startswith("{") and not name.endswith("}"):
        raise EntryError(f'The closing "}}" is missing in {text!r}.')
    if not TYPES[type_name].inline and not name.startswith("{") and not _TABLE_NAME.fullmatch(name):
        raise EntryError(f"After {type_name}: the name of a table must follow, not {name!r}.")
    if not name:
        raise EntryError(f"After {type_name}: something must follow.")
    return TableReference(type_name, name)


# The parameters whose tables hold passwords: these are of a kind that is secret.
PASSWORD_MAPS = ("smtp_sasl_password_maps", "lmtp_sasl_password_maps")
MASK = "***"  # what is shown of a secret value
HIDDEN = "What is wrong is not shown, for it may hold passwords."  # of an error, which may quote


def discreet(parameter: str, error: Exception) -> str:
    """What may be said of an error in a parameter's value: nothing that could hold a password."""
    if parameter not in PASSWORD_MAPS:
        return str(error)
    return f"Name tables of the kind passwords as type:name, such as hash:sasl_passwd. {HIDDEN}"


# Parameter -> kind of the tables that it names; all others are text.
KIND_OF_PARAMETER: dict[str, str] = {
    **dict.fromkeys(("alias_maps", "alias_database"), "aliases"),
    "virtual_alias_maps": "virtual",
    **dict.fromkeys(
        ("canonical_maps", "sender_canonical_maps", "recipient_canonical_maps"), "canonical"
    ),
    **dict.fromkeys(("smtp_generic_maps", "lmtp_generic_maps"), "generic"),
    **dict.fromkeys(("transport_maps", "address_verify_transport_maps"), "transport"),
    "relocated_maps": "relocated",
    **dict.fromkeys(PASSWORD_MAPS, "passwords"),
    **dict.fromkeys(("sender_bcc_maps", "recipient_bcc_maps"), "bcc"),
    **dict.fromkeys(
        (
            "local_recipient_maps",
            "relay_recipient_maps",
            "virtual_mailbox_maps",
            "virtual_mailbox_limit_maps",
            "virtual_uid_maps",
            "virtual_gid_maps",
            "smtpd_sender_login_maps",
            "sender_dependent_relayhost_maps",
            "sender_dependent_default_transport_maps",
            "mailbox_command_maps",
            "mailbox_transport_maps",
            "fallback_transport_maps",
        ),
        "recipients",
    ),
    **dict.fromkeys(
        ("mydestination", "relay_domains", "virtual_alias_domains", "virtual_mailbox_domains"),
        "domains",
    ),
    **dict.fromkeys(
        (
            f"{prefix}{name}"
            for prefix in ("", "smtp_", "lmtp_")
            for name in (
                "header_checks",
                "mime_header_checks",
                "nested_header_checks",
                "body_checks",
            )
        ),
        "header_checks",
    ),
    "milter_header_checks": "header_checks",
}
# What stands beside their keys is any text: where one of these is asked for, any table will do.
OPEN_KINDS = ("text", "domains", "recipients")
REWRITING_KINDS = frozenset({"canonical", "generic"})  # mean the same, and may be one table


def suits(kind: str, wanted: str) -> bool:
    """True when a table of `kind` may stand where one of the kind `wanted` is asked."""
    if kind in (wanted, "text") or wanted in OPEN_KINDS:
        return True
    return {kind, wanted} == REWRITING_KINDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What the entries of a table mean.

    `parse_key` gives the key as it is stored and looked up in an indexed table, or raises; it is
    not for patterns. `parse_value` gives the value as its reader sees it, or raises. Both raise
    EntryError with a sentence for the administrator.
    """

    name: str
    help: str
    parse_key: Callable[[str], str]
    parse_value: Callable[[str], object]
    key_help: str
    value_help: str
    types: tuple[str, ...] = tuple(name for name in TYPES if TYPES[name].has_rows)
    secret: bool = False  # values go in and are never shown again


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            name="access",
            help="Who may do what: clients, names and addresses with an action each.",
            parse_key=keytext.access_key,
            parse_value=values.parse_action,
            key_help="user@example.com, example.com, .example.com, user@, 192.0.2.1 or 192.0.2",
            value_help="OK, REJECT text, DUNNO, 550 text, HOLD ... or restrictions",
        ),
        Kind(
            name="aliases",
            help="Local names, and where their mail goes.",
            parse_key=keytext.alias_key,
            parse_value=destinations.parse_alias_destinations,
            key_help="A name without a domain, such as postmaster",
            value_help="Addresses, local names, /file, |command or :include:/file, with commas",
        ),
        Kind(
            name="virtual",
            help="Addresses, and the addresses that take their place.",
            parse_key=keytext.address_key,
            parse_value=values.parse_recipients,
            key_help="user@example.com, user, or @example.com for the whole domain",
            value_help="One or more addresses, with commas; @other.example keeps the user name",
        ),
        Kind(
            name="canonical",
            help="Addresses, and the one address each is rewritten to.",
            parse_key=keytext.address_key,
            parse_value=values.parse_rewrite,
            key_help="user@example.com, user, or @example.com for the whole domain",
            value_help="One address; @other.example keeps the user name",
        ),
        Kind(
            name="generic",
            help="Local addresses, and what they become in mail that leaves by SMTP.",
            parse_key=keytext.address_key,
            parse_value=values.parse_rewrite,
            key_help="user@example.com, user, or @example.com for the whole domain",
            value_help="One address; @other.example keeps the user name",
        ),
        Kind(
            name="transport",
            help="Addresses and domains, and by which transport to which host their mail goes.",
            parse_key=keytext.transport_key,
            parse_value=values.parse_transport,
            key_help="user@example.com, example.com, .example.com for subdomains, or *",
            value_help="transport:nexthop, such as smtp:[mail.example.com]:2525",
        ),
        Kind(
            name="relocated",
            help="Addresses that have moved, and where to.",
            parse_key=keytext.address_key,
            parse_value=values.parse_text,
            key_help="user@example.com, user, or @example.com for the whole domain",
            value_help="The new address, or any text; it is told to the sender",
        ),
        Kind(
            name="bcc",
            help="Addresses, and who gets a copy of their mail.",
            parse_key=keytext.address_key,
            parse_value=values.parse_rewrite,
            key_help="user@example.com, user, or @example.com for the whole domain",
            value_help="One address",
        ),
        Kind(
            name="recipients",
            help="Addresses that exist; what stands beside them may have a meaning, or none.",
            parse_key=keytext.address_key,
            parse_value=values.parse_text,
            key_help="user@example.com, user, or @example.com for the whole domain",
            value_help="Anything; of a mailbox its path, of a sender its logins",
        ),
        Kind(
            name="domains",
            help="A list of domains; what stands beside them has no meaning.",
            parse_key=keytext.domain_key,
            parse_value=values.parse_text,
            key_help="example.com",
            value_help="Anything, such as OK",
        ),
        Kind(
            name="passwords",
            help="Other servers, and with which name and password to log in there.",
            parse_key=keytext.any_key,
            parse_value=values.parse_text,
            key_help="mx.example.com, [mx.example.com]:587 as the next hop is written, or a sender",
            value_help="user:password; it is not shown again",
            secret=True,
        ),
        Kind(
            name="header_checks",
            help="Patterns for lines of a message, with an action each.",
            parse_key=keytext.any_key,
            parse_value=values.parse_check_action,
            key_help="/^Subject: .*lottery/",
            value_help="REJECT text, WARN text, HOLD, IGNORE, PREPEND text ...",
            types=("regexp", "pcre"),
        ),
        Kind(
            name="text",
            help="Any keys with any values.",
            parse_key=keytext.any_key,
            parse_value=values.parse_text,
            key_help="Any text without blanks",
            value_help="Any text",
        ),
    )
}
