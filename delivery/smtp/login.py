"""login - the client's half of AUTH: which mechanism, and what is said in it; no I/O.

SUMMARY      choose(offered, options) -> mechanism or None
             Login(mechanism, user, password): .command(), then .respond(challenge) for every 334
RULES        CRAM-MD5 before PLAIN before LOGIN: what shows the password least
             options are those of postconf(5) smtp_sasl_security_options; noplaintext leaves
             CRAM-MD5, noactive, nodictionary, mutual_auth and forward_secrecy leave nothing
ERRORS       LoginFailed: a challenge that is none, or one too many
SOURCE       RFC 4954, RFC 4616 (PLAIN), RFC 2195 (CRAM-MD5)
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Collection

from delivery.errors import DeliveryError

MECHANISMS = ("CRAM-MD5", "PLAIN", "LOGIN")
_STRONG = {"noactive", "nodictionary", "mutual_auth", "forward_secrecy"}  # none of ours is


class LoginFailed(DeliveryError):
    """The dialogue cannot go on."""


def choose(offered: Collection[str], options: Collection[str]) -> str | None:
    """The best mechanism that both sides can, None when there is none."""
    if _STRONG & set(options):
        return None
    usable = MECHANISMS[:1] if "noplaintext" in options else MECHANISMS
    return next((name for name in usable if name in offered), None)


class Login:
    """One AUTH dialogue."""

    def __init__(self, mechanism: str, user: str, password: str) -> None:
        self._mechanism = mechanism
        self._user = user.encode()
        self._password = password.encode()
        self._answers = 0

    def command(self) -> str:
        """The line that begins it; PLAIN says everything at once."""
        if self._mechanism == "PLAIN":
            return "AUTH PLAIN " + _encoded(b"\0".join((b"", self._user, self._password)))
        return f"AUTH {self._mechanism}"

    def respond(self, challenge: str) -> str:
        """The line that answers a challenge (the text behind 334). Raises LoginFailed."""
        self._answers += 1
        match self._mechanism, self._answers:
            case "LOGIN", 1:
                return _encoded(self._user)
            case "LOGIN", 2:
                return _encoded(self._password)
            case "CRAM-MD5", 1:
                try:
                    text = base64.b64decode(challenge.strip(), validate=True)
                except binascii.Error:
                    raise LoginFailed("cannot decode response from server") from None
                digest = hmac.new(self._password, text, "md5").hexdigest()
                return _encoded(self._user + b" " + digest.encode())
            case _:
                raise LoginFailed("the server asks for more than the mechanism has")


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
