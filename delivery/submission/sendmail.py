"""sendmail - the command by which programs of this machine send mail. sendmail(1)

SUMMARY      sendmail [options] [recipient ...] <message; asking(...) -> that command
OPTIONS      -t recipients are in To, Cc, Bcc too    -i (-oi) "." does not end the message
             -f (-r) sender    -F full name    -N success,failure,delay | never    -R full | hdrs
             -V envelope id    -B 8bitmime    -G relayed, headers are not ours    -v report
             -bm (nothing else said) send    -bs SMTP session    -bv report what would come of it
             -bp (mailq) list    -q -qIid -qRsite try again    -bi (-I) newaliases
RULES        the message goes into the drop directory, whether an engine runs or not; status 0 means
             that it is durable there. It is the caller's: nobody sends as somebody else
             the name in the envelope is the caller's login name, unless -f says another
             nothing is read into memory as a whole
             ended by a signal it leaves nothing; once the message is there, nothing that goes wrong
             with standard output makes the status another
EXIT STATUS  0; 75 (EX_TEMPFAIL) for whatever cannot be done, as Postfix has it; 65 (EX_DATAERR)
             for an address that is not UTF-8; 71 (EX_OSERR) without a login name; 69
             (EX_UNAVAILABLE) where an engine must answer and none does
SOURCE       Postfix sendmail(1); sysexits(3)
"""

from __future__ import annotations

import contextlib
import io
import os
import pwd
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from delivery.config import ConfigError, read_config
from delivery.printable import printable
from delivery.submission.drop import Slip, Terms, Writer, read_terms
from delivery.submission.message import HeaderTooLong, RecipientHeaders, copy, read_addresses
from delivery.submission.options import Mode, Options, UsageError, read_options
from delivery.submission.session import Session
from delivery.trace import header_address
from delivery.values import Recipient
from tables.addresses import NULL, Address

Ask = Callable[[list[str]], int]


class Refused(Exception):
    """The message is not taken."""

    status = os.EX_TEMPFAIL


class NoAddress(Refused):
    """It names somebody in octets that mean no characters."""

    status = os.EX_DATAERR


class NoName(Refused):
    """Who calls has no name."""

    status = os.EX_OSERR


def asking(ask: Ask) -> Callable[[Sequence[str]], int]:
    """The command; `ask` runs another command of ours."""

    def command(words: Sequence[str]) -> int:
        with _ending_in_order():
            return main(words, ask=ask)

    return command


@contextlib.contextmanager
def _ending_in_order() -> Iterator[None]:
    """Signals that end a program are exceptions, so that it can clear up."""

    def end(number: int, frame: object) -> None:
        raise SystemExit(128 + number)  # as a shell has it

    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGTERM)}
    ours = [number for number, handler in before.items() if handler is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def main(
    words: Sequence[str], *, ask: Ask, source: BinaryIO | None = None, sink: BinaryIO | None = None
) -> int:
    """Carry out one command line; `ask` runs another command of ours."""
    source = sys.stdin.buffer if source is None else source
    try:
        config = read_config()
        options = read_options(words)
        for warning in options.warnings:
            _say(f"warning: {warning}")
        match options.mode:
            case Mode.LIST:
                return ask(["mailq"])
            case Mode.FLUSH:
                if options.site:
                    return ask(["postqueue", "-s", options.site])
                if options.queue_id:
                    return ask(["postqueue", "-i", options.queue_id])
                return ask(["postqueue", "-f"])
            case Mode.NEW_ALIASES:
                return ask(["newaliases"])
            case Mode.NOTHING:
                return 0
            case Mode.SESSION:
                session = Session(config.drop, _terms(config.drop))
                session.serve(source, sys.stdout.buffer if sink is None else sink)
                return 0
        _enqueue(config.drop, options, source)
    except (UsageError, Refused, ConfigError) as error:
        *lines, last = str(error).splitlines()
        for line in lines:
            _say(line)
        _say(f"fatal: {last}")
        return error.status if isinstance(error, Refused) else os.EX_TEMPFAIL
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        _say(f"fatal: {error.strerror or error}{where}")
        return os.EX_TEMPFAIL
    return os.EX_OK


def _enqueue(directory: Path, options: Options, source: BinaryIO) -> None:
    who = _Caller()
    terms = _terms(directory)
    caller = f"{who.name if options.sender is None else options.sender}({who.uid})"
    if not options.recipients and not options.extracts:
        text = "Recipient addresses must be specified on the command line or via the -t option"
        raise Refused(f"{caller}: {text}")
    recipients = [each for word in options.recipients for each in read_addresses(word)]
    limit = terms.message_size_limit
    headers = RecipientHeaders() if options.extracts else None
    writer = Writer(directory)

    def write(data: bytes) -> None:
        writer.write(data)
        if 0 < limit < writer.size:
            raise Refused(f"{caller}: message file too big")

    if options.is_probe:
        source = io.BytesIO(_question(recipients))
    try:
        copy(source, write, ends_at_dot=options.ends_at_dot, headers=headers)
        if headers is not None:
            recipients += headers.recipients
        if not recipients:
            where = "message header" if options.extracts else "the arguments"
            raise Refused(f"{caller}: No recipient addresses found in {where}")
        slip = _slip(options, who, recipients)
        if wrong := next(filter(_is_garbled, (slip.sender, *recipients)), None):
            raise NoAddress(f"{caller}: Address is not valid UTF-8: {wrong.text}")
        writer.finish(slip)
    except HeaderTooLong:
        writer.abandon()
        text = "unable to extract recipients: message header length exceeds safety limit"
        raise Refused(f"{caller}: {text}") from None
    except BaseException:
        writer.abandon()
        raise
    if options.is_traced:
        _promise(who.name)


def _terms(directory: Path) -> Terms:
    """The rules, for who may send by them. Raises Refused."""
    terms, uid = read_terms(directory), os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = "unknown"  # as in Postfix's lists of users
    if terms.bars(name):
        raise Refused(f"User {name}({uid}) is not allowed to submit mail")
    return terms


def _is_garbled(address: Address) -> bool:
    """True when it is not UTF-8: the queue does not take it. RFC 6531"""
    try:
        address.internal.encode()
    except UnicodeEncodeError:
        return True
    return False


def _promise(name: str) -> None:
    """The message is on its way, whether anybody reads this or not."""
    try:
        sys.stdout.write(f"Mail Delivery Status Report will be mailed to <{name}>.\n")
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is left


def _question(recipients: Sequence[Address]) -> bytes:
    """The message of -bv: nobody will read more of it than its headers."""
    to = ",\n\t".join(header_address(each) for each in recipients)
    return f"Subject: probe\nTo: {to}\n\n".encode()


class _Caller:
    """The user whose command this is."""

    def __init__(self) -> None:
        """Raises Refused."""
        self.uid = os.getuid()
        try:
            account = pwd.getpwuid(self.uid)
        except KeyError:
            raise NoName("unable to find out your login name") from None
        self.name = account.pw_name
        self.full_name = os.environ.get("NAME") or _full_name(account)


def _full_name(account: pwd.struct_passwd) -> str:
    """The first part of the gecos field; "&" in it stands for the login name. passwd(5)"""
    first = account.pw_gecos.partition(",")[0]
    return first.replace("&", account.pw_name.capitalize())


def _slip(options: Options, who: _Caller, recipients: Sequence[Address]) -> Slip:
    sender = Address(who.name, "")
    if options.sender is not None:
        sender, *others = *read_addresses(options.sender), NULL
        if others[1:]:
            _say(f"warning: -f option specified malformed sender: {options.sender}")
    full_name = who.full_name if options.full_name is None else options.full_name
    return Slip(
        sender=sender,
        recipients=tuple(
            Recipient(address=each, original=each, notify=options.notify) for each in recipients
        ),
        full_name=" ".join(full_name.split()),
        ret=options.ret,
        envid=options.envid,
        eightbit=options.eightbit,
        is_traced=options.is_traced,
        is_probe=options.is_probe,
        is_relayed=options.is_relayed,
    )


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # nobody listens: the status says it all
        sys.stderr.write(f"sendmail: {printable(text)}\n")
