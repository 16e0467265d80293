"""errors - failures of the engine that carry their own answer.

SUMMARY      SmtpFailure is what a client is told; PeerError is a remote server's fault; OurError
             a bug of ours
RULES        the public text names no table, host or path; unknown means temporary (4xx)
SOURCE       RFC 5321 4.2, RFC 3463
"""

from __future__ import annotations


class DeliveryError(Exception):
    """Base of everything that delivery raises on purpose."""


class SmtpFailure(DeliveryError):
    """A negative answer: code, enhanced code and public text; the cause is for the log."""

    def __init__(self, code: int, enhanced: str, text: str, *, cause: str = "") -> None:
        super().__init__(f"{code} {enhanced} {text}")
        self.code = code
        self.enhanced = enhanced
        self.text = text
        self.cause = cause

    @property
    def is_temporary(self) -> bool:
        """True when the client may try again (RFC 5321 4.2.1, 4yz)."""
        return 400 <= self.code < 500


class PeerError(DeliveryError):
    """The other server or client broke the protocol or went away."""


class OurError(DeliveryError):
    """A promise inside the engine was broken: a bug, never the peer's fault."""
