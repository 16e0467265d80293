"""patience - how long another server is waited for.

SUMMARY      Patience(timeouts).left(doing, answers, now) -> seconds; .took(octets, now)
RULES        each stage of a session has a limit of its own. It counts from the last byte that came,
             or that the server took of ours; with smtp_per_request_deadline it is for a whole reply
             and for a whole message, so a server that trickles bytes does not hold us for ever.
             While it takes a message, N octets give it N / smtp_min_data_rate seconds more, up to
             smtp_data_xfer_timeout
SOURCE       RFC 5321 4.5.3.2; postconf(5) smtp_..._timeout, smtp_per_request_deadline
"""

from __future__ import annotations

from dataclasses import dataclass

from delivery.smtp.exchange import Stage

_LIMITS = {
    Stage.GREETING.doing: "smtp_helo_timeout",
    Stage.EHLO.doing: "smtp_helo_timeout",
    Stage.HELO.doing: "smtp_helo_timeout",
    Stage.LHLO.doing: "smtp_helo_timeout",
    Stage.STARTTLS.doing: "smtp_starttls_timeout",
    Stage.XFORWARD.doing: "smtp_xforward_timeout",
    Stage.RSET.doing: "smtp_rset_timeout",
    Stage.MAIL.doing: "smtp_mail_timeout",
    Stage.RCPT.doing: "smtp_rcpt_timeout",
    Stage.DATA.doing: "smtp_data_init_timeout",
    Stage.BDAT.doing: "smtp_data_xfer_timeout",
    Stage.FINAL.doing: "smtp_data_done_timeout",
    Stage.QUIT.doing: "smtp_quit_timeout",
}


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds; field names and defaults are those of postconf(5)."""

    smtp_connect_timeout: float = 30.0
    smtp_helo_timeout: float = 300.0
    smtp_mail_timeout: float = 300.0
    smtp_rcpt_timeout: float = 300.0
    smtp_data_init_timeout: float = 120.0
    smtp_data_xfer_timeout: float = 180.0
    smtp_data_done_timeout: float = 600.0
    smtp_rset_timeout: float = 20.0
    smtp_quit_timeout: float = 300.0
    smtp_xforward_timeout: float = 300.0
    smtp_starttls_timeout: float = 300.0
    smtp_per_request_deadline: bool = False
    smtp_min_data_rate: int = 500


class Patience:
    """With one server. `now` is always the loop's time."""

    __slots__ = ("_about", "_deadline", "_timeouts")

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        self._about: tuple[str, int] | None = None  # what the deadline is for
        self._deadline = 0.0

    def left(self, doing: str, answers: int, now: float) -> float:
        """Seconds for the next sign of life; `answers`: how many replies came before."""
        limit: float = getattr(self._timeouts, _LIMITS[doing])
        if not self._timeouts.smtp_per_request_deadline:
            return limit
        if self._about != (doing, answers):
            self._about = doing, answers
            self._deadline = now + limit
        return max(self._deadline - now, 0.0)

    def took(self, octets: int, now: float) -> None:
        """The server took so much of a message."""
        earned = octets / self._timeouts.smtp_min_data_rate
        most = now + self._timeouts.smtp_data_xfer_timeout
        self._deadline = min(max(self._deadline, now) + earned, most)
