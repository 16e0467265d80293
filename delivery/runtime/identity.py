"""identity - who the client of one session is, how it is secured, and what it is offered for that.

SUMMARY      Identity(rules, service, protocol, counts, faults, known); .known: the facts of the
             session; .client, .name; .throttle; .needs_tls with wants_tls(event)
             await .start_tls(), .secured(tls), .log_in(event), .go_on(event) -> replies
             .renamed(event) -> the Identity after XCLIENT; .origin() -> for the Received header
RULES        where TLS is required nothing is done without it (RFC 3207 4)
             STARTTLS begins the session anew: what the client said in the clear, its login too, is
             forgotten (RFC 3207 4.2)
             XCLIENT does so for the client that it names (XCLIENT_README)
             what the client can have is told the protocol when it changes, not asked at each EHLO
             TLS sessions and AUTH commands count against the limits of their own
ERRORS       none: a login service that cannot be asked is a reply (login.py)
SOURCE       Postfix smtpd(8), TLS_README, SASL_README, XCLIENT_README; RFC 3207, 4954
"""

from __future__ import annotations

import ssl
from typing import Any

from delivery import log
from delivery.policy.verdict import Blame
from delivery.runtime import offers
from delivery.runtime.anvil import Counts
from delivery.runtime.dovecot import AuthService, Circumstances
from delivery.runtime.draft import Origin
from delivery.runtime.faults import Faults
from delivery.runtime.login import Login
from delivery.runtime.rates import Rate
from delivery.runtime.rules import ServiceRules
from delivery.runtime.throttle import Throttle
from delivery.smtp import events, replies
from delivery.smtp.commands import PARSERS
from delivery.smtp.replies import Reply
from delivery.smtp.server import ServerProtocol
from delivery.trace import scrub, with_protocol
from delivery.values import Client

_WITHOUT_TLS = (  # RFC 3207 4; Postfix takes no other command it knows
    events.Helo,
    events.Ehlo,
    events.Noop,
    events.Quit,
    events.StartTls,
    events.Unknown,
)
_VERBS_WITHOUT_TLS = frozenset({"HELO", "EHLO", "NOOP", "QUIT", "STARTTLS", "XCLIENT"})
_FORGOTTEN = ("helo", "login", "sasl_method")  # RFC 3207 4.2


class Identity:
    """One client's, until XCLIENT names another."""

    def __init__(
        self,
        rules: ServiceRules,
        service: AuthService | None,
        protocol: ServerProtocol,
        counts: Counts,
        faults: Faults,
        known: dict[str, Any],
    ) -> None:
        """`service`: None where nobody can log in; `protocol`: is told what to offer."""
        self.known = known
        self.client: Client = known["client"]
        self.name = f"{self.client.name}[{self.client.address}]"  # for the log
        self.needs_tls = "tls" not in known and rules.tls.is_required
        self.can_log_in = service is not None
        self.throttle = Throttle(counts, rules, self.client)
        self._rules = rules
        self._service = service
        self._protocol = protocol
        self._counts = counts
        self._faults = faults
        self._login = Login(rules.sasl, service, self.name)
        self._offer()

    def _offer(self) -> None:
        """What the client can have as things are."""
        is_encrypted = "tls" in self.known
        if self.can_log_in:
            self._login.look(is_encrypted=is_encrypted)
        offer = offers.of(
            self._rules,
            self.client,
            is_encrypted=is_encrypted,
            mechanisms=self._login.mechanisms,
        )
        self._protocol.offer(*offer)

    async def wait(self) -> None:
        """Wait for a service that is just being connected to: AUTH may be offered then."""
        if await self._login.wait():
            self._offer()

    # TLS

    async def start_tls(self) -> Reply:
        """After 220 there is the handshake, then secured()."""
        if await self.throttle.was_over(Rate.HANDSHAKE):
            self._too_many("new TLS sessions")
            return replies.no_more_handshakes(self.name)
        if self._rules.tls.context() is None:
            self._faults.blamed.add(Blame.RESOURCE)
            return replies.TLS_UNAVAILABLE
        for name in _FORGOTTEN:
            self.known.pop(name, None)
        return replies.READY_FOR_TLS

    async def secured(self, secured: ssl.SSLObject) -> Reply | None:
        """TLS is there; a reply: it ends here."""
        rules = self._rules
        tls = rules.tls.facts(secured)
        self.known["tls"] = tls
        self.needs_tls = False
        if rules.tls.settings.smtpd_tls_loglevel > 0:
            log.event("smtpd", tls=tls.protocol, cipher=tls.cipher, client=self.name)
        self._offer()
        await self.wait()
        hostname = rules.settings.myhostname
        if not secured.session_reused and await self.throttle.is_over(Rate.HANDSHAKE):
            self._too_many("new TLS sessions")
            return replies.too_many_handshakes(hostname, self.name)
        if rules.tls.settings.requires_certificate and not tls.is_trusted:
            self._faults.blamed.add(Blame.POLICY)
            return replies.bad_certificate(hostname)
        return None

    # AUTH

    async def log_in(self, event: events.Auth) -> Reply:
        """AUTH; 334 asks for more."""
        if (refusal := await self.count_login()) is not None:
            return refusal
        if self.known.get("login"):
            self._faults.blamed.add(Blame.PROTOCOL)
            return replies.ALREADY_LOGGED_IN
        about = Circumstances(
            service=self._rules.sasl.settings.smtpd_sasl_service,
            server_address=self.known["server_address"],
            client_address=self.client.address,
            is_encrypted="tls" in self.known,
        )
        reply = await self._login.begin(event, about)
        self._offer()  # it may have waited for the service to say what can be used
        return self._logged_in(reply)

    async def go_on(self, event: events.AuthResponse) -> Reply:
        """The answer to a 334."""
        return self._logged_in(await self._login.go_on(event))

    async def count_login(self) -> Reply | None:
        """An AUTH command, well said or not; a reply: it is one too many."""
        if not await self.throttle.is_over(Rate.LOGIN):
            return None
        self._too_many("AUTH commands")
        return replies.too_many_logins(self.client.address)

    def _logged_in(self, reply: Reply) -> Reply:
        """Whom the rules know the client as from now on, if it has come so far."""
        if reply.code == 235:  # RFC 4954 6
            self.known |= {"login": self._login.user, "sasl_method": self._login.method}
        return reply

    # another client, and the mail of this one

    def renamed(self, event: events.Xclient) -> Identity:
        """That of the client which a proxy speaks for, as if it had connected."""
        self.throttle.disconnect()
        known = offers.spoken_for(self.known, event.attributes, temporary=event.is_temporary)
        log.event("xclient", client=self.name, speaks_for=known["client"].address)
        return Identity(
            self._rules, self._service, self._protocol, self._counts, self._faults, known
        )

    def origin(self, *, smtputf8: bool) -> Origin:
        """Where a message comes from, for its headers and its envelope."""
        known, rules = self.known, self._rules
        tls, login = known.get("tls"), known.get("login", "")
        comments = () if tls is None else rules.tls.comments(tls)
        if login and rules.sasl.settings.smtpd_sasl_authenticated_header:
            comments += (f"Authenticated sender: {scrub(login, smtputf8=smtputf8)}",)
        return Origin(
            client=self.client,
            helo=known.get("helo", ""),
            protocol=with_protocol(
                extended=known.get("protocol") == "ESMTP",
                smtputf8=smtputf8,
                tls=tls is not None,
                login=bool(login),
            ),
            login=login,
            sasl_method=known.get("sasl_method", ""),
            is_trusted=tls is not None and tls.is_trusted,
            comments=comments,
        )

    def _too_many(self, what: str) -> None:
        self._faults.blamed.add(Blame.POLICY)
        log.event("smtpd", problem=f"too many {what}", client=self.name)


def wants_tls(event: events.Event) -> bool:
    """RFC 3207 4; a command that is out of its place, or badly said, is refused all the same."""
    if not isinstance(event, events.SyntaxProblem):
        return not isinstance(event, _WITHOUT_TLS)
    is_known = event.verb in PARSERS and event.verb not in _VERBS_WITHOUT_TLS
    return is_known and not event.reply.closes
