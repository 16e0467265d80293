"""offer - what the other server offers, and what is said of an envelope for that.

SUMMARY      Offer(settings); .read(answer to EHLO or LHLO) -> the server's name; then .keywords,
             .size_limit, .takes_8bit; .mail(transaction), .rcpt(recipient) -> command lines
RULES        SIZE, BODY, SMTPUTF8, RET, ENVID, NOTIFY, ORCPT only where offered; what
             smtp_discard_ehlo_keywords names is not
             after HELO nothing is offered; after STARTTLS what was before is forgotten: a new Offer
ERRORS       OurError: a control character in a command
SOURCE       RFC 5321 4.1.1.1; RFC 1870, 6152, 6531, 3461, 4954 5; Postfix smtp(8)
"""

from __future__ import annotations

import re

from delivery.errors import OurError
from delivery.smtp.answers import Answer
from delivery.smtp.exchange import Transaction
from delivery.smtp.settings import ClientSettings
from delivery.values import Recipient
from delivery.xtext import xtext_encode
from tables.addresses import Address

_NOTIFY = ("NEVER", "SUCCESS", "FAILURE", "DELAY")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Offer:
    """Of one server; nothing until it has answered EHLO."""

    __slots__ = ("_settings", "keywords", "size_limit")

    def __init__(self, settings: ClientSettings) -> None:
        self.keywords: dict[str, str] = {}  # upper case -> parameters; what we discard left out
        self.size_limit = 0  # the largest message it takes, as far as it says so; 0: it does not
        self._settings = settings

    @property
    def takes_8bit(self) -> bool:
        """True when 8-bit text may be sent; SMTPUTF8 implies that (RFC 6531 3.1)."""
        return "8BITMIME" in self.keywords or "SMTPUTF8" in self.keywords

    def read(self, answer: Answer) -> str:
        """The host name, of an answer to EHLO.

        RFC 5321 4.1.1.1: the first line is the host name, each other one a keyword.
        """
        discarded = {word.upper() for word in self._settings.smtp_discard_ehlo_keywords}
        for line in answer.lines[1:]:
            keyword, _, parameters = line[4:].replace("=", " ", 1).partition(" ")
            name = keyword.upper()
            if name == "AUTH":  # some servers say it twice, in the old form AUTH=PLAIN as well
                parameters = f"{self.keywords.get(name, '')} {parameters}"
            if keyword and name not in discarded:
                self.keywords[name] = parameters.strip()
        limit = self.keywords.get("SIZE", "").split(" ")[0]
        if limit.isascii() and limit.isdecimal():
            self.size_limit = int(limit[:18])
        return answer.lines[0][4:].partition(" ")[0]

    def mail(self, transaction: Transaction) -> bytes:
        """MAIL, with the options that are offered."""
        words = [f"MAIL FROM:<{self._path(transaction.sender)}>"]
        offered = self.keywords
        if "SIZE" in offered and transaction.size:
            words.append(f"SIZE={transaction.size}")
        if self.takes_8bit and transaction.body:
            words.append(f"BODY={transaction.body}")
        if transaction.smtputf8:
            words.append("SMTPUTF8")
        if "DSN" in offered:
            if transaction.envid:
                words.append(f"ENVID={xtext_encode(transaction.envid)}")
            if transaction.ret:
                words.append(f"RET={transaction.ret}")
        may_log_in = self._settings.smtp_sasl_auth_enable and "AUTH" in offered
        if may_log_in and self._settings.smtp_send_dummy_mail_auth:
            words.append("AUTH=<>")  # RFC 4954 5: nobody says who sent it
        return command_line(" ".join(words))

    def rcpt(self, recipient: Recipient) -> bytes:
        """RCPT, the same way."""
        words = [f"RCPT TO:<{self._path(recipient.address)}>"]
        if "DSN" in self.keywords:
            kind, _, address = _original(recipient).partition(";")
            words.append(f"ORCPT={kind};{xtext_encode(address, utf8=kind in ('utf-8', 'UTF-8'))}")
            if recipient.notify:
                words.append(f"NOTIFY={','.join(sorted(recipient.notify, key=_NOTIFY.index))}")
        return command_line(" ".join(words))

    # inside

    def _path(self, address: Address) -> str:
        return address.text if self._settings.smtp_quote_rfc821_envelope else address.internal


def _original(recipient: Recipient) -> str:
    """RFC 3461 4.2: what the sender gave, else the address that we were given."""
    if recipient.orcpt:
        return recipient.orcpt
    text = recipient.original.text
    return f"{'rfc822' if text.isascii() else 'utf-8'};{text}"


def command_line(line: str) -> bytes:
    """One command line. A control character in it would be a second command: our bug."""
    if _CONTROL.search(line):
        raise OurError(f"control character in the command {line!r}")
    return line.encode("utf-8") + b"\r\n"
