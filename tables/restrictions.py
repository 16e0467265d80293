"""restrictions - the words of restriction lists: which there are, what follows them, what they do.

SUMMARY      RESTRICTIONS name -> Restriction; parse_restrictions(text, classes) -> calls in order
RULES        items are separated by commas and blanks, {braces} hold one together; names are read in
             any case and come back in lower case; old names come back as the new ones
             warn_if_reject belongs to the restriction after it
             a bare type:name (old style) comes back with the name '' and the table as argument;
             bare_name(stage) says which restriction it stands for
ERRORS       EntryError that names the word, and one that may have been meant
NOT DONE     evaluation: delivery.policy
SOURCE       postconf(5) smtpd_..._restrictions, SMTPD_ACCESS_README, RESTRICTION_CLASS_README
"""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from tables import specs
from tables.errors import EntryError
from tables.itemtext import split_items


class Argument(Enum):
    """What stands after a restriction's name."""

    NONE = "none"
    TABLE = "table"  # of the form type:name
    DOMAIN = "domain"  # a DNS list, zone or zone=filter
    SERVICE = "service"  # a policy service, inet:host:port or { inet:..., name=value }
    NUMBER = "number"


STAGES = ("client", "helo", "sender", "relay", "recipient", "data", "end_of_data", "etrn")
_FROM_HELO = ("helo", "sender", "relay", "recipient", "data", "end_of_data", "etrn")
_FROM_SENDER = ("sender", "relay", "recipient", "data", "end_of_data")
_FROM_RECIPIENT = ("relay", "recipient", "data", "end_of_data")


@dataclass(frozen=True, slots=True, kw_only=True)
class Restriction:
    """One word of postconf(5).

    `stages` are the lists in which there is something to look at whatever smtpd_delay_reject says;
    with smtpd_delay_reject = yes the lists of client, helo and sender see the recipient as well.
    """

    name: str
    argument: Argument
    stages: tuple[str, ...]
    help: str


@dataclass(frozen=True, slots=True)
class RestrictionCall:
    """One member of a list. The name is '' for a bare table; it may be that of a class."""

    name: str
    argument: str = ""
    warn_if_reject: bool = False

    @property
    def text(self) -> str:
        """The member as it stands in main.cf."""
        words = ("warn_if_reject" if self.warn_if_reject else "", self.name, self.argument)
        return " ".join(word for word in words if word)


def _group(
    stages: tuple[str, ...], argument: Argument, helps: dict[str, str]
) -> dict[str, Restriction]:
    return {
        name: Restriction(name=name, argument=argument, stages=stages, help=help)
        for name, help in helps.items()
    }


def _tables(stages: tuple[str, ...], subjects: dict[str, str]) -> dict[str, Restriction]:
    """check_..._access and its variants by address, mail exchanger and name server."""
    helps: dict[str, str] = {}
    for word, what in subjects.items():
        helps[f"check_{word}_access"] = f"Look up {what} in a table and do what it says."
        for kind, whose in _VARIANTS.items():
            helps[f"check_{word}_{kind}_access"] = (
                f"Look up {whose} of {what} in a table; the table must not say OK."
            )
    return _group(stages, Argument.TABLE, helps)


_VARIANTS = {
    "a": "the addresses",
    "mx": "the mail exchangers",
    "ns": "the name servers",
}

RESTRICTIONS: dict[str, Restriction] = {
    **_group(
        STAGES,
        Argument.NONE,
        {
            "permit": "Permit; nothing after it in this list is asked.",
            "reject": "Refuse.",
            "defer": "Refuse for now; the client may come back.",
            "defer_if_permit": "Refuse for now, if the request would be permitted in the end.",
            "defer_if_reject": "Refuse for now, if the request would be refused in the end.",
            "permit_mynetworks": "Permit clients in mynetworks.",
            "permit_inet_interfaces": "Permit clients that are this machine.",
            "permit_sasl_authenticated": "Permit clients that have logged in.",
            "permit_tls_all_clientcerts": (
                "Permit clients whose certificate is signed by an authority we trust."
            ),
            "permit_tls_clientcerts": "Permit clients whose certificate is in relay_clientcerts.",
            "reject_unknown_client_hostname": (
                "Refuse clients whose address has no name that leads back to the address."
            ),
            "reject_unknown_reverse_client_hostname": "Refuse clients whose address has no name.",
            "reject_unauth_pipelining": (
                "Refuse clients that send commands ahead where they must wait."
            ),
            "reject_plaintext_session": "Refuse clients that do not use TLS.",
            "reject_multi_recipient_bounce": (
                "Refuse mail with the empty sender to several recipients."
            ),
            "reject_maps_rbl": "Old word: refuse clients on the lists of maps_rbl_domains.",
        },
    ),
    **_group(STAGES, Argument.NUMBER, {"sleep": "Wait so many seconds before going on."}),
    **_group(
        STAGES, Argument.SERVICE, {"check_policy_service": "Ask a policy service what to do."}
    ),
    **_group(
        STAGES,
        Argument.DOMAIN,
        {
            "reject_rbl_client": "Refuse clients whose address is on a DNS list.",
            "permit_dnswl_client": "Permit clients whose address is on a DNS list.",
            "reject_rhsbl_client": "Refuse clients whose name is on a DNS list.",
            "permit_rhswl_client": "Permit clients whose name is on a DNS list.",
            "reject_rhsbl_reverse_client": "Refuse clients whose unverified name is on a DNS list.",
        },
    ),
    **_tables(
        STAGES,
        {
            "client": "the client's name and address",
            "reverse_client_hostname": "the client's unverified name",
        },
    ),
    **_group(
        STAGES,
        Argument.TABLE,
        {
            "check_ccert_access": "Look up the client certificate's fingerprint in a table.",
            "check_sasl_access": "Look up the login name in a table.",
        },
    ),
    **_group(
        _FROM_HELO,
        Argument.NONE,
        {
            "reject_invalid_helo_hostname": "Refuse HELO names that are no names at all.",
            "reject_non_fqdn_helo_hostname": "Refuse HELO names that are not fully qualified.",
            "reject_unknown_helo_hostname": "Refuse HELO names without MX and address records.",
            "permit_naked_ip_address": "Old word: permit a HELO name that is a bare address.",
        },
    ),
    **_group(
        _FROM_HELO,
        Argument.DOMAIN,
        {"reject_rhsbl_helo": "Refuse HELO names that are on a DNS list."},
    ),
    **_tables(_FROM_HELO, {"helo": "the HELO name"}),
    **_group(
        _FROM_SENDER,
        Argument.NONE,
        {
            "reject_non_fqdn_sender": "Refuse senders whose domain is not fully qualified.",
            "reject_unknown_sender_domain": "Refuse senders whose domain has no MX or address.",
            "reject_unlisted_sender": "Refuse senders in our domains that do not exist.",
            "reject_unverified_sender": "Refuse senders to which no mail could be sent.",
            "reject_sender_login_mismatch": (
                "Refuse senders that belong to another login, and senders that belong to a login "
                "when nobody has logged in."
            ),
            "reject_authenticated_sender_login_mismatch": (
                "Refuse senders that do not belong to the client's login."
            ),
            "reject_unauthenticated_sender_login_mismatch": (
                "Refuse senders that belong to a login when nobody has logged in."
            ),
            "reject_known_sender_login_mismatch": (
                "Refuse senders that belong to another login; leave unlisted ones alone."
            ),
        },
    ),
    **_group(
        _FROM_SENDER,
        Argument.DOMAIN,
        {"reject_rhsbl_sender": "Refuse senders whose domain is on a DNS list."},
    ),
    **_tables(_FROM_SENDER, {"sender": "the sender address"}),
    **_group(
        _FROM_RECIPIENT,
        Argument.NONE,
        {
            "reject_unauth_destination": (
                "Refuse recipients that are neither ours nor in relay_domains. This is what keeps "
                "a server from being an open relay."
            ),
            "defer_unauth_destination": (
                "The same, but only for now, while a configuration is being tried."
            ),
            "permit_auth_destination": "Permit recipients that are ours or in relay_domains.",
            "permit_mx_backup": "Permit recipients for whose domain we are a mail exchanger.",
            "check_relay_domains": "Old word: permit our own domains and clients, refuse others.",
            "reject_non_fqdn_recipient": "Refuse recipients whose domain is not fully qualified.",
            "reject_unknown_recipient_domain": (
                "Refuse recipients elsewhere whose domain has no MX or address."
            ),
            "reject_unlisted_recipient": "Refuse recipients in our domains that do not exist.",
            "reject_unverified_recipient": "Refuse recipients to which no mail could be delivered.",
        },
    ),
    **_group(
        _FROM_RECIPIENT,
        Argument.DOMAIN,
        {"reject_rhsbl_recipient": "Refuse recipients whose domain is on a DNS list."},
    ),
    **_tables(_FROM_RECIPIENT, {"recipient": "the recipient address"}),
    **_group(
        ("etrn",),
        Argument.TABLE,
        {"check_etrn_access": "Look up the domain asked for by ETRN in a table."},
    ),
}

# old names, and what they are called now
SYNONYMS: dict[str, str] = {
    "reject_unknown_client": "reject_unknown_client_hostname",
    "reject_unknown_hostname": "reject_unknown_helo_hostname",
    "reject_invalid_hostname": "reject_invalid_helo_hostname",
    "reject_non_fqdn_hostname": "reject_non_fqdn_helo_hostname",
    "reject_unknown_address": "reject_unknown_sender_domain",
    "check_recipient_maps": "reject_unlisted_recipient",
    "reject_rbl": "reject_rbl_client",
}

WARN_IF_REJECT = "warn_if_reject"
# One of these must be in the relay or recipient list, or the machine is an open relay.
RELAY_GUARDS = frozenset(
    {
        "reject_unauth_destination",
        "defer_unauth_destination",
        "reject",
        "defer",
        "defer_if_permit",
        "check_relay_domains",
    }
)
_BARE = {
    "client": "check_client_access",
    "helo": "check_helo_access",
    "sender": "check_sender_access",
    "relay": "check_recipient_access",
    "recipient": "check_recipient_access",
    "etrn": "check_etrn_access",
}


def bare_name(stage: str) -> str | None:
    """The restriction that a bare table stands for in a list; None where it has no meaning."""
    return _BARE.get(stage)


def parse_restrictions(
    text: str, classes: Collection[str] = (), *, stage: str = ""
) -> tuple[RestrictionCall, ...]:
    """The members of a list, in order.

    `classes` are the names of restriction classes. With a `stage`, a bare table comes back as the
    restriction it stands for. Raises EntryError.
    """
    calls: list[RestrictionCall] = []
    words = list(reversed(split_items(text)))
    warn = False
    while words:
        word = words.pop()
        name = SYNONYMS.get(word.lower(), word.lower())
        if name == WARN_IF_REJECT:
            warn = True
            continue
        if (known := RESTRICTIONS.get(name)) is not None:
            calls.append(RestrictionCall(name, _argument(known, words), warn))
        elif word in classes:
            calls.append(RestrictionCall(word, "", warn))
        elif specs.is_reference(word):
            specs.parse_reference(word)
            calls.append(RestrictionCall(_bare(word, stage), word, warn))
        else:
            raise EntryError(_unknown(word, classes))
        warn = False
    if warn:
        raise EntryError("After warn_if_reject a restriction must follow.")
    return tuple(calls)


def _argument(restriction: Restriction, words: list[str]) -> str:
    """Take the argument off the reversed `words`."""
    if restriction.argument is Argument.NONE:
        return ""
    if not words:
        raise EntryError(f"After {restriction.name} {_NEEDS[restriction.argument]} must follow.")
    word = words.pop()
    wrong = (
        (restriction.argument is Argument.NUMBER and not word.isdecimal())
        or (restriction.argument is Argument.SERVICE and ":" not in word)
        or (restriction.argument is Argument.DOMAIN and not _is_zone(word))
    )
    if wrong:
        raise EntryError(
            f"After {restriction.name} {_NEEDS[restriction.argument]} must follow, not {word!r}."
        )
    if restriction.argument is Argument.TABLE and not word.startswith("{"):
        specs.parse_reference(word)
    return word


_NEEDS = {
    Argument.TABLE: "a table (type:name)",
    Argument.DOMAIN: "a DNS list such as list.example.com",
    Argument.SERVICE: "a policy service such as inet:127.0.0.1:10023",
    Argument.NUMBER: "a number of seconds",
}


def _is_zone(word: str) -> bool:
    zone = word.partition("=")[0].replace("$", "")  # $name: a key of the list's own
    return bool(zone) and word.lower() not in RESTRICTIONS and not specs.is_reference(word)


def _bare(word: str, stage: str) -> str:
    if not stage:
        return ""
    name = bare_name(stage)
    if name is None:
        raise EntryError(f"{word!r} needs a restriction such as check_client_access before it.")
    return name


def _unknown(word: str, classes: Collection[str]) -> str:
    known = [*RESTRICTIONS, *SYNONYMS, WARN_IF_REJECT, *classes]
    near = difflib.get_close_matches(word.lower(), known, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"There is no restriction {word}.{hint}"
