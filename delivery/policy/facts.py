"""facts - what restrictions may know (Facts) and whom they may ask (Ask), and nothing else.

SUMMARY      Facts: the session and transaction as they stand at one command, frozen
             Ask: DNS, policy services, probes, sleep: what really waits; wiring supplies it
             Addresses: the routing room's answers (class, route, does it exist); wiring supplies it
             Tables: opens "type:name, ..." once, when lists are compiled
             Trace: a listener that explain gives along; the same code runs with and without it
RULES        the DNS has three outcomes: records, () for none, DnsUnavailable for could not tell
             addresses are tables.addresses.Address with UNQUOTED local part; None: not given yet
SOURCE       SMTPD_ACCESS_README, SMTPD_POLICY_README (names of attributes)
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Protocol

from delivery.errors import DeliveryError
from delivery.values import AddressClass, Client, Route
from tables.addresses import Address
from tables.frozen import dataclass
from tables.reading.lookup import LookupKey, Maps
from tables.reading.lookup import Trace as LookupTrace


class Stage(Enum):
    """The protocol state, in the words of SMTPD_POLICY_README protocol_state."""

    __hash__ = object.__hash__  # that of Enum is Python

    CONNECT = "CONNECT"
    EHLO = "EHLO"
    HELO = "HELO"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    END_OF_MESSAGE = "END-OF-MESSAGE"
    VRFY = "VRFY"
    ETRN = "ETRN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """The encrypted session; fingerprints as smtpd_tls_fingerprint_digest has them, or ''."""

    protocol: str
    cipher: str
    key_bits: int
    certificate_fingerprint: str = ""
    public_key_fingerprint: str = ""
    subject_name: str = ""
    issuer_name: str = ""
    is_trusted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything a restriction may look at; `stage` is the command that is being answered."""

    stage: Stage
    client: Client
    protocol: str = "SMTP"  # SMTP or ESMTP
    server_address: str = ""
    server_port: int = 0
    helo: str | None = None  # as given; None: no HELO or EHLO yet
    sender: Address | None = None  # None before MAIL; Address('', '') is the null sender
    recipient: Address | None = None  # the one being asked for; at DATA the only one
    recipient_count: int = 0  # accepted so far in this transaction
    size: int = 0  # bytes: announced by SIZE=, at END-OF-MESSAGE as received
    smtputf8: bool = False
    etrn_domain: str = ""
    login: str = ""  # SASL user name, '' when not authenticated
    sasl_method: str = ""
    sasl_sender: str = ""  # MAIL AUTH=
    tls: Tls | None = None
    bad_pipelining: bool = False  # the client sent commands ahead without leave
    queue_id: str = ""
    instance: str = ""  # one value per message; SMTPD_POLICY_README instance

    @property
    def client_text(self) -> str:
        """name[address], as in log lines and replies."""
        return f"{self.client.name}[{self.client.address}]"


@dataclass(frozen=True, slots=True)
class Mx:
    """One mail exchanger; host '.' with preference 0 alone is a null MX (RFC 7505)."""

    preference: int
    host: str


class DnsUnavailable(DeliveryError):
    """The DNS gave no definite answer: unknown for now, not for good."""


class Resolver(Protocol):
    """Names without final dot, A-labels. () means that there is no such record (NXDOMAIN too).

    Every method raises DnsUnavailable when it could not find out.
    """

    async def mx(self, name: str) -> tuple[Mx, ...]: ...

    async def ns(self, name: str) -> tuple[str, ...]: ...

    async def a(self, name: str) -> tuple[str, ...]:
        """IPv4 addresses from the DNS alone (DNS lists, reject_unknown_...)."""
        ...

    async def aaaa(self, name: str) -> tuple[str, ...]: ...

    async def addresses(self, name: str) -> tuple[str, ...]:
        """Addresses of a host: hosts file and DNS, the families of inet_protocols."""
        ...

    async def ptr(self, address: str) -> tuple[str, ...]: ...

    async def txt(self, name: str) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyService:
    """One check_policy_service endpoint with its own settings. SMTPD_POLICY_README."""

    endpoint: str  # inet:host:port or unix:path
    default_action: str
    policy_context: str
    timeout_s: float
    max_idle_s: float
    max_ttl_s: float
    request_limit: int
    try_limit: int
    retry_delay_s: float


class PolicyServiceUnavailable(DeliveryError):
    """The policy service gave no usable answer within its limits."""


class ProbeStatus(Enum):
    """ADDRESS_VERIFICATION_README: what is known of an address."""

    DELIVERABLE = "deliverable"
    DEFERRED = "deferred"
    UNDELIVERABLE = "undeliverable"
    PENDING = "pending"  # the probe is on its way


@dataclass(frozen=True, slots=True)
class Probe:
    """Outcome of an address probe, with the words of whoever refused."""

    status: ProbeStatus
    reason: str = ""


class ProbeUnavailable(DeliveryError):
    """Addresses cannot be verified at this moment."""


class Ask(Protocol):
    """What really waits. Nothing else in a restriction may suspend."""

    @property
    def resolver(self) -> Resolver: ...

    async def policy(self, service: PolicyService, attributes: Sequence[tuple[str, str]]) -> str:
        """The value of the answer's action attribute; raises PolicyServiceUnavailable."""
        ...

    async def verify(self, address: Address) -> Probe:
        """What a probe of this address found so far; raises ProbeUnavailable."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class Resolved(Protocol):
    """Where an address leads, as routing's Resolution says it."""

    @property
    def folded(self) -> Address:
        """The final address: fully qualified, lower case."""
        ...

    @property
    def address_class(self) -> AddressClass: ...

    @property
    def route(self) -> Route: ...

    @property
    def is_routed(self) -> bool:
        """The local part holds sender specified routing: user%elsewhere@here."""
        ...

    @property
    def is_bad(self) -> bool:
        """Not an address that mail can be sent to."""
        ...


class Refused(Protocol):
    """Why an address does not exist; code, enhanced code and words of the reply."""

    @property
    def code(self) -> int: ...

    @property
    def enhanced(self) -> str: ...

    @property
    def text(self) -> str: ...


class Addresses(Protocol):
    """The routing room as restrictions see it. Every method raises TableUnavailable."""

    def resolve(
        self,
        address: Address,
        sender: Address | None = None,
        trace: LookupTrace | None = None,
    ) -> Resolved: ...

    def unlisted(
        self,
        address: Address,
        *,
        other: Address | None = None,
        as_sender: bool = False,
        trace: LookupTrace | None = None,
    ) -> Refused | None:
        """None when mail for it would be taken; `other` is the other end of the envelope."""
        ...

    def is_local(self, domain: str) -> bool:
        """True when the domain matches mydestination or is one of this machine's addresses."""
        ...

    def is_own(self, address: str) -> bool:
        """True for an IP address of inet_interfaces or proxy_interfaces."""
        ...

    def access_keys(self, address: Address) -> Sequence[LookupKey]:
        """Keys of an access table for a resolved address, in order. access(5)."""
        ...

    def address_keys(self, address: Address) -> Sequence[LookupKey]:
        """Keys of a table of addresses for a resolved address: user+ext@dom, user@dom, ...

        Postfix mail_addr_find(3).
        """
        ...


class Tables(Protocol):
    """A snapshot, as far as lists need it when they are compiled."""

    def maps(self, spec: str) -> Maps: ...


class Trace(Protocol):
    """What explain listens to; both are called for every step, found or not."""

    def restriction(self, list_name: str, name: str, argument: str, outcome: str) -> None: ...

    def lookup(self, table: str, key: str, value: str | None) -> None: ...
