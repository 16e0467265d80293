"""replies - what the server says: code, enhanced code, text; always safe to put on the wire.

SUMMARY      Reply (frozen) with its bytes in .wire; the named replies of Postfix's smtpd(8);
             Mistake, which carries one
RULES        a line holds at most 512 octets with its CRLF, longer text is split at a blank (RFC
             5321 4.5.3.1.5); the enhanced code stands in every line (RFC 2034 4), never in 220,
             354, HELO and EHLO replies; whatever is not printable ASCII becomes "?": text from
             outsiders cannot end a line
ERRORS       OurError: a code outside 200-599 or a malformed enhanced code is a bug of ours
NOT DONE     SMTPUTF8 text in replies (RFC 6531 3.7.4.2 allows it, nobody needs it)
SOURCE       RFC 5321 4.2, RFC 3463, RFC 2034, RFC 5248
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import field
from functools import lru_cache
from typing import final

from delivery.errors import OurError, SmtpFailure
from tables.frozen import dataclass

CHALLENGE_LIMIT = 12288  # the same of a 334: RFC 4954 4
LINE_LIMIT = 512  # octets with CRLF; RFC 5321 4.5.3.1.5

_ENHANCED = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}\Z")  # RFC 3463 2
_UNSAFE = re.compile(r"[^\x20-\x7e]")
_CLOSING = frozenset({221, 421, 521})  # RFC 5321 3.8, RFC 7504; Postfix hangs up after these


@final  # so "type(answer) is Reply" says all there is to say
@dataclass(frozen=True, slots=True)
class Reply:
    """One complete reply. `enhanced` is '' where RFC 2034 wants none; `lines` are without codes."""

    code: int
    enhanced: str
    lines: tuple[str, ...]
    wire: bytes = field(init=False, repr=False, compare=False)  # all lines, each with its CRLF
    # 2yz and 3yz: the command did what it says (RFC 5321 4.2.1)
    is_positive: bool = field(init=False, repr=False, compare=False)
    closes: bool = field(init=False, repr=False, compare=False)  # the connection ends after it

    def __post_init__(self) -> None:
        object.__setattr__(self, "wire", _encode(self.code, self.enhanced, self.lines))
        object.__setattr__(self, "is_positive", self.code < 400)
        object.__setattr__(self, "closes", self.code in _CLOSING)

    def __bytes__(self) -> bytes:
        return self.wire

    def __str__(self) -> str:
        return self.wire.decode("ascii").rstrip("\r\n").replace("\r\n", " / ")


class Mistake(Exception):
    """The command cannot be understood, or not be obeyed; `reply` says so."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


@lru_cache(maxsize=512)
def _prefix(code: int, enhanced: str) -> str:
    """What stands before the text of the last line."""
    if not 200 <= code <= 599:
        raise OurError(f"reply code {code}")
    if enhanced and not _ENHANCED.match(enhanced):
        raise OurError(f"enhanced status code {enhanced!r}")
    return f"{code} {enhanced} " if enhanced else f"{code} "


def _encode(code: int, enhanced: str, lines: tuple[str, ...]) -> bytes:
    prefix = _prefix(code, enhanced)
    room = (CHALLENGE_LIMIT if code == 334 else LINE_LIMIT) - 2 - len(prefix)
    if len(lines) == 1 and len(text := lines[0]) <= room:  # nearly always
        if not (text.isascii() and text.isprintable()):
            text = _UNSAFE.sub("?", text)
        return f"{prefix}{text}\r\n".encode("ascii")
    parts = [part for line in lines or ("",) for part in _split(_UNSAFE.sub("?", line), room)]
    head = [f"{code}-{prefix[4:]}{part}\r\n" for part in parts[:-1]]
    return "".join([*head, f"{prefix}{parts[-1]}\r\n"]).encode("ascii")


def _split(text: str, room: int) -> Iterable[str]:
    """Pieces of at most `room` characters, cut at a blank where there is one."""
    while len(text) > room:
        cut = text.rfind(" ", 1, room + 1)
        if cut < 0:
            yield text[:room]
            text = text[room:]
        else:
            yield text[:cut]
            text = text[cut + 1 :]
    yield text


def reply(code: int, enhanced: str, *lines: str) -> Reply:
    """A Reply from its parts: reply(550, "5.1.1", "User unknown")."""
    return Reply(code, enhanced, lines)


def failure(error: SmtpFailure) -> Reply:
    """The reply that an SmtpFailure carries; its cause stays in the log."""
    return Reply(error.code, error.enhanced, (error.text,))


def softened(given: Reply) -> Reply:
    """The same refusal, for now only. postconf(5) soft_bounce."""
    if given.code < 500:
        return given
    enhanced = f"4{given.enhanced[1:]}" if given.enhanced else ""
    return Reply(given.code - 100, enhanced, given.lines)


# --- Success -----------------------------------------------------------------------------------
OK = reply(250, "2.0.0", "Ok")
SENDER_OK = reply(250, "2.1.0", "Ok")
RECIPIENT_OK = reply(250, "2.1.5", "Ok")
START_CONTENT = reply(
    354, "", "End data with <CR><LF>.<CR><LF>"
)  # RFC 5321 4.3.2; also "go on" for BDAT
BYE = reply(221, "2.0.0", "Bye")
READY_FOR_TLS = reply(220, "2.0.0", "Ready to start TLS")
LOGGED_IN = reply(235, "2.7.0", "Authentication successful")


@lru_cache(maxsize=128)
def greeting(banner: str) -> Reply:
    """220; `banner` is smtpd_banner expanded, beginning with the host name (RFC 5321 4.2)."""
    return reply(220, "", banner)


@lru_cache(maxsize=128)
def hello(hostname: str, keywords: tuple[str, ...] = ()) -> Reply:
    """The answer to HELO (no keywords) and EHLO (RFC 5321 4.1.1.1)."""
    return Reply(250, "", (hostname, *keywords))


def queued(queue_id: str, size: int | None = None) -> Reply:
    """After the message is on disk; with `size` the form that ends BDAT."""
    amount = "" if size is None else f"{size} bytes "
    return reply(250, "2.0.0", f"Ok: {amount}queued as {queue_id}")


def chunk_received(size: int) -> Reply:
    """After a BDAT chunk that is not the last one (RFC 3030 2)."""
    return reply(250, "2.0.0", f"Ok: {size} bytes")


def challenge(text: str) -> Reply:
    """AUTH goes on; `text` is base64 (RFC 4954 4)."""
    return reply(334, "", text)


def verified(text: str) -> Reply:
    """VRFY: cannot say for sure, will try (RFC 5321 3.5.3)."""
    return reply(252, "2.0.0", text)


# --- The client made a mistake ------------------------------------------------------------------
BAD_SYNTAX = reply(500, "5.5.2", "Error: bad syntax")
BAD_UTF8 = reply(500, "5.5.2", "Error: bad UTF-8 syntax")
LINE_TOO_LONG = reply(500, "5.5.2", "Error: command too long")  # RFC 5321 4.5.3.1.9
NOT_RECOGNIZED = reply(500, "5.5.2", "Error: command not recognized")
NOT_IMPLEMENTED = reply(502, "5.5.1", "Error: command not implemented")
NO_AUTHENTICATION = reply(503, "5.5.1", "Error: authentication not enabled")
ALREADY_LOGGED_IN = reply(503, "5.5.1", "Error: already authenticated")
LOGIN_ABORTED = reply(501, "5.7.0", "Authentication aborted")
RESPONSE_TOO_LONG = reply(500, "5.5.6", "SASL response limit exceeded")
BREAKS_RULES = reply(221, "2.7.0", "Error: I can break rules, too. Goodbye.")
OUT_OF_STEP = reply(554, "5.5.0", "Error: SMTP protocol synchronization")
ACCESS_DENIED = reply(503, "5.7.0", "Error: access denied")  # RFC 5321 3.1, after a 554 greeting

HELO_SYNTAX = reply(501, "", "Syntax: HELO hostname")
EHLO_SYNTAX = reply(501, "", "Syntax: EHLO hostname")
MAIL_SYNTAX = reply(501, "5.5.4", "Syntax: MAIL FROM:<address>")
RCPT_SYNTAX = reply(501, "5.5.4", "Syntax: RCPT TO:<address>")
DATA_SYNTAX = reply(501, "5.5.4", "Syntax: DATA")
BDAT_SYNTAX = reply(521, "5.5.4", "Syntax: BDAT count [LAST]")  # hangs up: content would follow
RSET_SYNTAX = reply(501, "5.5.4", "Syntax: RSET")
STARTTLS_SYNTAX = reply(501, "5.5.4", "Syntax: STARTTLS")
AUTH_SYNTAX = reply(501, "5.5.4", "Syntax: AUTH mechanism")
VRFY_SYNTAX = reply(501, "5.5.4", "Syntax: VRFY address")
VRFY_SYNTAX_UTF8 = reply(501, "5.5.4", "Syntax: VRFY address [SMTPUTF8]")
VRFY_DISABLED = reply(502, "5.5.1", "VRFY command is disabled")
ETRN_SYNTAX = reply(500, "", "Syntax: ETRN domain")
ETRN_PARAMETER = reply(501, "", "Error: invalid parameter syntax")

BAD_SENDER = reply(501, "5.1.7", "Bad sender address syntax")
BAD_RECIPIENT = reply(501, "5.1.3", "Bad recipient address syntax")
BAD_SIZE = reply(501, "5.5.4", "Bad message size syntax")
BAD_RET = reply(501, "5.5.4", "Bad RET parameter syntax")
BAD_ENVID = reply(501, "5.5.4", "Bad ENVID parameter syntax")
BAD_AUTH = reply(501, "5.5.4", "Bad AUTH parameter syntax")
BAD_NOTIFY = reply(501, "5.5.4", "Error: Bad NOTIFY parameter syntax")
BAD_ORCPT = reply(501, "5.5.4", "Error: Bad ORCPT parameter syntax")
DSN_DISABLED = reply(501, "5.7.1", "DSN support is disabled")
NEED_SMTPUTF8 = reply(553, "5.6.7", "Must declare SMTPUTF8 to send unicode address")
SIZE_EXCEEDED = reply(552, "5.3.4", "Message size exceeds fixed limit")
SIZE_ABSURD = reply(552, "5.3.4", "Message size exceeds file system imposed limit")

SEND_HELO = reply(503, "5.5.1", "Error: send HELO/EHLO first")
ETRN_SEND_HELO = reply(503, "", "Error: send HELO/EHLO first")
ETRN_IN_TRANSACTION = reply(503, "", "Error: MAIL transaction in progress")
NESTED_MAIL = reply(503, "5.5.1", "Error: nested MAIL command")
NEED_MAIL = reply(503, "5.5.1", "Error: need MAIL command")
NEED_RCPT = reply(503, "5.5.1", "Error: need RCPT command")
NO_RECIPIENTS = reply(554, "5.5.1", "Error: no valid recipients")
MAIL_AFTER_BDAT = reply(503, "5.5.1", "Error: MAIL after BDAT")
RCPT_AFTER_BDAT = reply(503, "5.5.1", "Error: RCPT after BDAT")
DATA_AFTER_BDAT = reply(503, "5.5.1", "Error: DATA after BDAT")
IN_TRANSACTION = reply(503, "5.5.1", "Error: MAIL transaction in progress")
NEED_TLS = reply(530, "5.7.0", "Must issue a STARTTLS command first")
TLS_ACTIVE = reply(554, "5.5.1", "Error: TLS already active")
NOT_AUTHORIZED = reply(550, "5.7.0", "Error: insufficient authorization")
BAD_SEQUENCE = reply(503, "5.5.1", "Error: bad sequence of commands")

NO_CHUNKING = reply(521, "5.5.1", "Error: command not implemented")  # hangs up, as BDAT_SYNTAX
NULL_CHUNK = reply(551, "5.7.1", "Null BDAT request")
CHUNK_TOO_BIG = reply(552, "5.3.4", "Chunk exceeds message size limit")

MESSAGE_TOO_BIG = reply(552, "5.3.4", "Error: message file too big")


def unsupported_option(text: str) -> Reply:
    """A MAIL or RCPT parameter nobody knows (RFC 5321 4.1.1.11)."""
    return reply(555, "5.5.4", f"Unsupported option: {text}")


def discarded_chunk(size: int) -> Reply:
    """A BDAT chunk thrown away because an earlier one was refused."""
    return reply(551, "5.0.0", f"Discarded {size} bytes after earlier error")


def bare_newline(code: int, hostname: str = "") -> Reply:
    """postconf(5) smtpd_forbid_bare_newline = reject."""
    return reply(code, "5.5.2", f"{hostname} Error: bare <LF> received".lstrip())


TLS_UNAVAILABLE = reply(454, "4.7.0", "TLS not available due to local problem")  # RFC 3207 4


# --- We cannot, or will not, go on ---------------------------------------------------------------
def timeout(hostname: str) -> Reply:
    """postconf(5) smtpd_timeout ran out."""
    return reply(421, "4.4.2", f"{hostname} Error: timeout exceeded")


def too_many_errors(hostname: str) -> Reply:
    """postconf(5) smtpd_hard_error_limit."""
    return reply(421, "4.7.0", f"{hostname} Error: too many errors")


def no_proxy(hostname: str) -> Reply:
    """postconf(5) smtpd_upstream_proxy_protocol: nobody knows who the client is."""
    return reply(421, "4.3.0", f"{hostname} Server local error")


def too_much_mail(client: str) -> Reply:
    """postconf(5) smtpd_client_message_rate_limit."""
    return reply(450, "4.7.1", f"Error: too much mail from {client}")


def too_many_recipients(client: str) -> Reply:
    """postconf(5) smtpd_client_recipient_rate_limit."""
    return reply(450, "4.7.1", f"Error: too many recipients from {client}")


def too_many_logins(client: str) -> Reply:
    """postconf(5) smtpd_client_auth_rate_limit."""
    return reply(450, "4.7.1", f"Error: too many AUTH commands from {client}")


def too_many_handshakes(hostname: str, client: str) -> Reply:
    """postconf(5) smtpd_client_new_tls_session_rate_limit, after a handshake."""
    return reply(421, "4.7.0", f"{hostname} Error: too many new TLS sessions from {client}")


def no_more_handshakes(client: str) -> Reply:
    """The same, before one."""
    return reply(454, "4.7.0", f"Error: too many new TLS sessions from {client}")


def bad_certificate(hostname: str) -> Reply:
    """postconf(5) smtpd_tls_req_ccert."""
    return reply(421, "4.7.1", f"{hostname} Error: No client certificate presented")


def login_failed(reason: str) -> Reply:
    """RFC 4954 6: it is not the one that it says it is."""
    return reply(535, "5.7.8", f"Error: authentication failed: {reason}")


def login_unavailable(reason: str) -> Reply:
    """RFC 4954 6: nobody could tell."""
    return reply(454, "4.7.0", f"Temporary authentication failure: {reason}")


def too_many_connections(hostname: str, client: str) -> Reply:
    """postconf(5) smtpd_client_connection_count_limit."""
    return reply(421, "4.7.0", f"{hostname} Error: too many connections from {client}")


def shutting_down(hostname: str) -> Reply:
    """The server stops (RFC 5321 3.8)."""
    return reply(421, "4.3.2", f"{hostname} Service not available, closing transmission channel")


def local_error(hostname: str) -> Reply:
    """Something of ours broke: temporary, and the connection ends."""
    return reply(421, "4.3.0", f"{hostname} Error: local error")
