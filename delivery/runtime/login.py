"""login - how one client logs in: the SMTP side of AUTH, for a service that knows passwords.

SUMMARY      Login(rules, service, client): .look(is_encrypted=...) -> .mechanisms it may use
             await .begin(event, about), .go_on(event) -> reply; .user and .method afterwards
RULES        what a client says to log in goes to the authentication service, and nowhere else: no
             log line and no reply has it
             a mechanism that cannot be used as things are is none (saslrules.py)
             the first clients of an engine wait a little for the service, to be told of AUTH
             a user's name is shown as far as it can be printed
ERRORS       none: a service that cannot be asked is 454, as RFC 4954 6 has it
SOURCE       RFC 4954; Postfix smtpd_sasl_proto.c, smtpd_sasl_glue.c
"""

from __future__ import annotations

import base64
import contextlib

from delivery import log
from delivery.printable import printable
from delivery.runtime.dovecot import (
    Answer,
    AuthService,
    AuthUnavailable,
    Circumstances,
    Exchange,
    Verdict,
)
from delivery.runtime.saslrules import SaslRules
from delivery.smtp import events, replies
from delivery.smtp.replies import Reply


class Login:
    """One client's; `service`: None where nobody can log in."""

    def __init__(self, rules: SaslRules, service: AuthService | None, client: str) -> None:
        """`client`: name[address], for the log."""
        self.mechanisms: tuple[str, ...] = ()  # by which this client may log in
        self.method = ""  # by which it does
        self.user = ""  # as whom it has
        self._rules = rules
        self._service = service
        self._client = client
        self._exchange: Exchange | None = None  # with the service, from a 334 on

    def look(self, *, is_encrypted: bool) -> None:
        """What can be used as things are."""
        if self._service is not None:
            self._service.wake()
            self.mechanisms = self._rules.usable(self._service.known, is_encrypted=is_encrypted)

    async def wait(self) -> bool:
        """Wait for a service that is just being connected to; True: look() again."""
        if self._service is None or not self._service.is_awaited:
            return False
        with contextlib.suppress(AuthUnavailable):
            await self._service.mechanisms()
        return True

    async def begin(self, event: events.Auth, about: Circumstances) -> Reply:
        """AUTH; 334 asks for more."""
        assert self._service is not None
        self.method = event.mechanism
        initial = "" if event.initial == "=" else event.initial  # RFC 4954 4
        try:
            if not self.mechanisms:
                await self._service.mechanisms()
                self.look(is_encrypted=about.is_encrypted)
            if event.mechanism not in self.mechanisms:
                return self._failed("Invalid authentication mechanism")
            if initial is not None and not _is_base64(initial):
                return self._failed("Invalid base64 data in initial response")
            self._exchange, answer = await self._service.begin(event.mechanism, initial, about)
        except AuthUnavailable as error:
            return self._failed(str(error), for_now=True)
        return self._told(answer)

    async def go_on(self, event: events.AuthResponse) -> Reply:
        """The client answers a challenge; "*": it gives up (RFC 4954 4)."""
        assert self._exchange is not None
        if event.text is None:
            return replies.RESPONSE_TOO_LONG
        if event.text == "*":
            problem = f"SASL {self.method} authentication aborted"
            log.event("smtpd", problem=problem, client=self._client)
            return replies.LOGIN_ABORTED
        if not _is_base64(event.text):
            return self._failed("Invalid base64 data in continued response")
        try:
            answer = await self._exchange.go_on(event.text)
        except AuthUnavailable as error:
            return self._failed(str(error), for_now=True)
        return self._told(answer)

    # inside

    def _told(self, answer: Answer) -> Reply:
        """What the service says of the client."""
        match answer.verdict:
            case Verdict.MORE:
                return replies.challenge(answer.challenge)
            case Verdict.DONE:
                self.user = printable(answer.user)
                return replies.LOGGED_IN
            case Verdict.FAILED:
                reason = answer.reason or "(reason unavailable)"
                return self._failed(reason, user=answer.user, for_now=answer.is_temporary)

    def _failed(self, reason: str, *, user: str = "", for_now: bool = False) -> Reply:
        log.event(
            "smtpd",
            problem=f"SASL {self.method} authentication failed: {reason}",
            sasl_username=user or "(unavailable)",
            client=self._client,
        )
        return replies.login_unavailable(reason) if for_now else replies.login_failed(reason)


def _is_base64(text: str) -> bool:
    """RFC 4648 4."""
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return True
