"""case - one stage being decided: what restrictions see, and what the walker remembers meanwhile.

SUMMARY      Subject: what is being accepted or refused, as it appears in replies
             Case: facts, settings and partners for restrictions; flags for the walker
RULES        restrictions read; only the walker writes, but for the two *_checked flags, which
             reject_unlisted_sender and reject_unlisted_recipient set themselves
SOURCE       Postfix smtpd_check(3): SMTPD_STATE, reply_name, reply_class
"""

from __future__ import annotations

from dataclasses import field

from delivery.policy.facts import Addresses, Ask, Facts, Trace
from delivery.policy.settings import PolicySettings
from delivery.policy.verdict import NO_EFFECTS, Effects, Note, Verdict
from tables.frozen import dataclass
from tables.reading.lookup import Maps
from tables.reading.lookup import Trace as LookupTrace
from tables.reading.matchlist import MatchList

CLIENT = "Client host"
REVERSE_CLIENT = "Unverified Client host"
CERTIFICATE = "Client certificate"
LOGIN = "SASL login name"
HELO = "Helo command"
SENDER = "Sender address"
RECIPIENT = "Recipient address"
ETRN = "Etrn command"
DATA = "Data command"
END_OF_DATA = "End-of-data"


@dataclass(frozen=True, slots=True)
class Subject:
    """`name` between < and > in a reply, `kind` one of the words above."""

    name: str
    kind: str

    def rejected(self, why: str) -> str:
        """ "<name>: Kind rejected: why", the form of nearly every refusal."""
        return f"<{self.name}>: {self.kind} rejected: {why}"


@dataclass(frozen=True, slots=True)
class Partners:
    """What a policy opened once for its restrictions."""

    settings: PolicySettings
    addresses: Addresses
    mynetworks: MatchList
    relay_domains: MatchList
    permit_mx_backup_networks: MatchList
    rbl_reply_maps: Maps
    relay_clientcerts: Maps
    sender_login_maps: Maps
    access_parent: bool  # smtpd_access_maps is in parent_domain_matches_subdomains


@dataclass(slots=True)
class Case:
    """One stage. Made anew by the walker for each command."""

    facts: Facts
    ask: Ask
    partners: Partners
    trace: Trace | None
    subject: Subject = Subject("", "")
    default_access: str = ""  # the check_..._access that a bare type:name means here
    list_name: str = ""

    # the walker's
    depth: int = 0
    warning: bool = False  # inside warn_if_reject
    maybe_permit: Verdict | None = None  # postconf(5) defer_if_permit
    maybe_reject: Verdict | None = None  # postconf(5) defer_if_reject
    effects: Effects = NO_EFFECTS
    sender_checked: bool = False
    recipient_checked: bool = False
    notes: list[Note] = field(default_factory=list)

    @property
    def settings(self) -> PolicySettings:
        return self.partners.settings

    @property
    def addresses(self) -> Addresses:
        return self.partners.addresses

    @property
    def lookups(self) -> LookupTrace | None:
        """The listener to hand to Maps.find()."""
        return None if self.trace is None else self.trace.lookup
