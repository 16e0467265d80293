r"""footer - a line of the administrator's below each refusal: whom to ask, what to tell them.

SUMMARY      Footer(text, maps, ...).added(reply, facts) -> the reply with it
RULES        smtpd_reject_footer_maps is asked with the reply; what it does not know gets
             smtpd_reject_footer; only replies of class 4 and 5 have one
             \c at its beginning: it goes on with the last line of the refusal; \n: the next line
             macros: policy/macros.py, and $server_name, $localtime
ERRORS       none: a footer that cannot be looked up or filled in is left out, with a log line
SOURCE       postconf(5) smtpd_reject_footer, smtpd_reject_footer_maps
"""

from __future__ import annotations

import time

from delivery import log
from delivery.policy import macros
from delivery.policy.facts import Facts
from delivery.smtp.replies import Reply
from delivery.trace import mail_date
from tables.errors import EntryError, TableUnavailable
from tables.expansion import expand
from tables.reading.lookup import Maps

GOES_ON = r"\c"
NEW_LINE = r"\n"


class Footer:
    """That of one service."""

    def __init__(self, text: str, maps: Maps, hostname: str, allowed: str) -> None:
        """`text`: smtpd_reject_footer; `maps`: smtpd_reject_footer_maps; `allowed`:
        smtpd_expansion_filter.
        """
        self._text = text
        self._maps = maps
        self._hostname = hostname
        self._allowed = macros.letters(allowed)

    def added(self, reply: Reply, facts: Facts) -> Reply:
        """The reply with its footer."""
        if reply.is_positive or not (self._text or self._maps):
            return reply
        try:
            text = self._filled(reply, facts)
        except (EntryError, TableUnavailable) as error:
            log.event("smtpd", problem=f"reject footer: {error}")
            return reply
        if not text:
            return reply
        goes_on = text.startswith(GOES_ON)
        first, *rest = text.removeprefix(GOES_ON).split(NEW_LINE)
        lines = reply.lines or ("",)
        lines = (*lines[:-1], lines[-1] + first) if goes_on else (*lines, first)
        return Reply(reply.code, reply.enhanced, (*lines, *rest))

    def _filled(self, reply: Reply, facts: Facts) -> str:
        said = " ".join(filter(None, (str(reply.code), reply.enhanced, " ".join(reply.lines))))
        found = self._maps.find((said,)) if self._maps else None
        template = self._text if found is None else found.value
        values = {
            **macros.of(facts, self._allowed),
            "server_name": self._hostname,
            "localtime": mail_date(time.time()),
        }
        return expand(template, values.get, recurse=False)
