"""session - sendmail -bs: an SMTP session on standard input and output. sendmail(1)

SUMMARY      Session(directory, terms).serve(source, sink)
RULES        the client is a user of this machine: no access rules, but all of the protocol
             a message waits in the drop directory before its 250, like one of sendmail's own
             commands may end with a bare LF: programs and people type them
             nobody can be asked about addresses (VRFY) or the queue (ETRN) from here
ERRORS       what the disk does not take is answered with 451
SOURCE       Postfix smtpd(8) stand-alone mode; RFC 5321
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from delivery.smtp import events, replies
from delivery.smtp.replies import Reply
from delivery.smtp.server import ServerProtocol
from delivery.smtp.settings import ServerSettings
from delivery.submission.drop import Slip, Terms, Writer
from delivery.trace import received, with_protocol
from delivery.values import Client, Envelope, Recipient

PIECE = 64 * 1024
HERE = Client(address="127.0.0.1", port=0, name="localhost")


@dataclass(slots=True)
class _Letter:
    """MAIL to the end of the message."""

    mail: events.Mail
    recipients: list[events.Rcpt] = field(default_factory=list)
    writer: Writer | None = None
    failure: OSError | None = None


class Session:
    """One session."""

    def __init__(self, directory: Path, terms: Terms) -> None:
        self._directory = directory
        self._terms = terms
        settings = ServerSettings(
            myhostname=terms.myhostname,
            message_size_limit=terms.message_size_limit,
            smtputf8_enable=terms.smtputf8_enable,
            smtpd_forbid_bare_newline="no",
        )
        self._protocol = ServerProtocol(settings)
        self._helo = ""
        self._is_extended = False
        self._letter: _Letter | None = None

    def serve(self, source: BinaryIO, sink: BinaryIO) -> None:
        """Until the client says goodbye or has no more to say. Raises OSError."""
        protocol = self._protocol
        try:
            self._say(sink, protocol.send(replies.greeting(self._terms.smtpd_banner)))
            while not protocol.closed and (line := source.readline(PIECE)):
                protocol.receive_data(line)
                while isinstance(event := protocol.next_event(), events.Event):
                    if isinstance(event, events.ContentChunk):
                        self._take(event.data)
                    else:
                        self._say(sink, protocol.send(self._answer(event)))
        finally:
            self._forget()

    # inside

    def _say(self, sink: BinaryIO, data: bytes) -> None:
        sink.write(data)
        sink.flush()

    def _answer(self, event: Any) -> Reply:
        return _ANSWERS.get(type(event), Session._unknown)(self, event)

    def _hello(self, event: events.Helo | events.Ehlo) -> Reply:
        self._forget()
        self._helo, self._is_extended = event.name, isinstance(event, events.Ehlo)
        keywords = self._protocol.keywords if self._is_extended else ()
        return replies.hello(self._terms.myhostname, keywords)

    def _mail(self, event: events.Mail) -> Reply:
        self._letter = _Letter(event)
        return replies.SENDER_OK

    def _rcpt(self, event: events.Rcpt) -> Reply:
        assert self._letter is not None
        self._letter.recipients.append(event)
        return replies.RECIPIENT_OK

    def _data(self, event: events.Data | events.Bdat) -> Reply:
        letter = self._letter
        assert letter is not None
        envelope = Envelope(
            sender=letter.mail.address,
            recipients=(),
            client=HERE,
            helo=self._helo,
            protocol=with_protocol(extended=self._is_extended, smtputf8=letter.mail.smtputf8),
            smtputf8=letter.mail.smtputf8,
        )
        header = received(
            envelope,
            queue_id=secrets.token_hex(6).upper(),
            myhostname=self._terms.myhostname,
            mail_name=self._terms.mail_name,
            when=time.time(),
            recipient=letter.recipients[0].address if len(letter.recipients) == 1 else None,
        )
        try:
            letter.writer = Writer(self._directory)
        except OSError as error:
            letter.failure = error
        self._take(header)
        return replies.START_CONTENT

    def _take(self, data: bytes) -> None:
        letter = self._letter
        if letter is None or letter.writer is None or letter.failure is not None:
            return
        try:
            letter.writer.write(data)
        except OSError as error:
            letter.failure = error

    def _end(self, event: events.ContentEnd) -> Reply:
        letter = self._letter
        assert letter is not None
        try:
            if event.problem is not None:
                return event.problem
            if letter.failure is not None:
                raise letter.failure
            assert letter.writer is not None
            letter.writer.finish(_slip(letter))
            return replies.queued(letter.writer.name, event.chunk_size)
        except OSError as error:
            return replies.reply(451, "4.3.0", f"Error: queue file write error: {error.strerror}")
        finally:
            self._forget()

    def _chunk_end(self, event: events.ChunkEnd) -> Reply:
        return replies.chunk_received(event.size)

    def _rset(self, event: events.Rset) -> Reply:
        self._forget()
        return replies.OK

    def _noop(self, event: events.Noop) -> Reply:
        return replies.OK

    def _vrfy(self, event: events.Vrfy) -> Reply:
        return replies.verified(event.given)

    def _problem(self, event: events.SyntaxProblem) -> Reply:
        if event.ends_transaction:
            self._forget()
        return event.reply

    def _auth(self, event: events.Auth) -> Reply:
        return replies.NO_AUTHENTICATION

    def _unknown(self, event: events.Event) -> Reply:
        return replies.NOT_RECOGNIZED

    def _not_here(self, event: events.Event) -> Reply:
        return replies.NOT_IMPLEMENTED

    def _quit(self, event: events.Quit) -> Reply:
        return replies.BYE

    def _forget(self) -> None:
        letter, self._letter = self._letter, None
        if letter is not None and letter.writer is not None:
            letter.writer.abandon()


_ANSWERS: dict[type, Callable[[Session, Any], Reply]] = {
    events.Helo: Session._hello,
    events.Ehlo: Session._hello,
    events.Mail: Session._mail,
    events.Rcpt: Session._rcpt,
    events.Data: Session._data,
    events.Bdat: Session._data,
    events.ChunkEnd: Session._chunk_end,
    events.ContentEnd: Session._end,
    events.Rset: Session._rset,
    events.Noop: Session._noop,
    events.Vrfy: Session._vrfy,
    events.Auth: Session._auth,
    events.Etrn: Session._not_here,
    events.StartTls: Session._not_here,
    events.SyntaxProblem: Session._problem,
    events.Quit: Session._quit,
}


def _slip(letter: _Letter) -> Slip:
    return Slip(
        sender=letter.mail.address,
        recipients=tuple(
            Recipient(
                address=item.address, original=item.address, notify=item.notify, orcpt=item.orcpt
            )
            for item in letter.recipients
        ),
        ret=letter.mail.ret,
        envid=letter.mail.envid,
        eightbit=letter.mail.body == "8BITMIME",
    )
