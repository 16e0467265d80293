"""patience - until when a client is waited for.

SUMMARY      Patience(settings); .since = now, with each answer; .heard(now), .took(octets, now)
             -> .deadline moves
RULES        each read gives the client smtpd_timeout anew; with smtpd_per_request_deadline only an
             answer does, so a client that trickles bytes does not stay for ever. While it sends a
             message, N octets give it N / smtpd_min_data_rate seconds more, up to smtpd_timeout
             what the engine itself takes does not count: an answer comes after its work
SOURCE       postconf(5) smtpd_timeout, smtpd_per_request_deadline, smtpd_min_data_rate
"""

from __future__ import annotations

from typing import Protocol


class Limits(Protocol):
    """The settings that count."""

    @property
    def smtpd_timeout(self) -> float:
        """Seconds."""

    @property
    def smtpd_per_request_deadline(self) -> bool:
        """For a whole command."""

    @property
    def smtpd_min_data_rate(self) -> int:
        """Octets a second."""


class Patience:
    """With one client. `now` is always the loop's time."""

    __slots__ = ("_is_strict", "_rate", "_timeout", "since")

    def __init__(self, limits: Limits) -> None:
        self._timeout = limits.smtpd_timeout
        self._is_strict = limits.smtpd_per_request_deadline
        self._rate = limits.smtpd_min_data_rate
        self.since = (
            0.0  # a command is done with, or the session begins: the next may take its time
        )

    @property
    def deadline(self) -> float:
        """Until then."""
        return self.since + self._timeout

    def heard(self, now: float) -> None:
        """Something came that wants no answer, or not yet."""
        if not self._is_strict:
            self.since = now

    def took(self, octets: int, now: float) -> None:
        """A piece of a message came."""
        self.since = min(self.since + octets / self._rate, now)
