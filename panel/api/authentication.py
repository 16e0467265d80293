"""authentication - who asks: bearer tokens.

RULES        Authorization: Bearer wp_...; everything else is anonymous, and refused with 401.
             A client that keeps coming with wrong tokens is told to slow down (429): a guess of 256
             random bits cannot succeed, so a right token is heard even then, and nobody can shut
             out others behind the same proxy.
LIMITS       FAILURES a minute from one address; the newest CLIENTS addresses are remembered, in
             this process
SOURCE       RFC 6750 2.1 and 3; RFC 6585 4
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NoReturn

from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from panel.api.problems import Problem
from panel.models import ApiToken
from panel.services.tokens import find_token

log = logging.getLogger("panel.api")

FAILURES = 20
PERIOD_S = 60.0
CLIENTS = 1000


class Failures:
    """How often each client failed in the current minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.lock = threading.Lock()
        self.seen: OrderedDict[str, tuple[float, int]] = OrderedDict()  # begun, count

    def note(self, client: str) -> float:
        """Counts one failure; the seconds to wait when there were too many, else 0."""
        now = self.clock()
        with self.lock:
            begun, count = self.seen.pop(client, (now, 0))
            if now - begun >= PERIOD_S:
                begun, count = now, 0
            self.seen[client] = begun, count + 1
            while len(self.seen) > CLIENTS:
                self.seen.popitem(last=False)
        return begun + PERIOD_S - now if count >= FAILURES else 0.0


FAILED = Failures()


class BearerAuthentication(BaseAuthentication):
    """request.user is the token's user, request.auth the ApiToken."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """None without a bearer token. Raises AuthenticationFailed or Problem 429."""
        scheme, _blank, text = get_authorization_header(request).strip().partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        token = find_token(text.strip().decode("latin-1"))
        if token is None:
            _refuse(str(request.META.get("REMOTE_ADDR", "")))
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """RFC 6750 3: the challenge says more when a token was given."""
        given = get_authorization_header(request).lower().startswith(b"bearer ")
        return 'Bearer realm="Waypost"' + (', error="invalid_token"' if given else "")


def _refuse(client: str) -> NoReturn:
    wait_s = FAILED.note(client)
    if wait_s > 0:
        raise Problem(
            429,
            _("Too many wrong tokens from your address."),
            headers={"Retry-After": str(int(wait_s) + 1)},
        )
    log.warning("a wrong token: client=%s", client)
    raise AuthenticationFailed(_("The token is not valid: unknown, expired or removed."))
