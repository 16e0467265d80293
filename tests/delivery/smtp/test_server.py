"""ServerProtocol: order of events and replies, any bytes in any pieces, TLS, closing."""

from __future__ import annotations

import random

import pytest

from delivery.errors import OurError
from delivery.smtp import replies
from delivery.smtp.events import (
    NEED_DATA,
    PAUSED,
    Auth,
    Bdat,
    ContentChunk,
    ContentEnd,
    Data,
    Ehlo,
    Mail,
    Noop,
    Rcpt,
    StartTls,
    SyntaxProblem,
    Unknown,
)
from delivery.smtp.replies import reply
from delivery.smtp.server import ServerProtocol
from delivery.smtp.settings import ServerSettings
from delivery.smtp.state import State
from tables.addresses import Address
from tests.delivery.smtp.sessions import Message, Session

DIALOGUE = (
    b"EHLO client.example\r\nMAIL FROM:<alice@client.example> SIZE=99 RET=HDRS ENVID=q+2B1\r\n"
    b"RCPT TO:<no@example.net>\r\nRCPT TO:<joe@example.net> NOTIFY=NEVER ORCPT=rfc822;x+40y\r\n"
    b"DATA\r\nSubject: x\r\n\r\n..\r\n.\r\nNOOP\r\nFOO bar\r\n\r\n\xff\r\n"
    b"MAIL FROM:<>\r\nRCPT TO:<jane@example.net>\r\nBDAT 5\r\nab\r\ncBDAT 3 LAST\r\nd\r\n"
    b"BDAT 4 LAST\r\nQUITDATA\r\nRSET\r\nQUIT\r\n"
)


def greeted(settings: ServerSettings | None = None, **options: tuple[str, ...]) -> ServerProtocol:
    protocol = ServerProtocol(settings or ServerSettings(), **options)
    protocol.send(replies.greeting("mx.example.net"))
    return protocol


def test_it_works() -> None:
    protocol = ServerProtocol(ServerSettings())
    assert protocol.next_event() is PAUSED  # the greeting is owed
    assert protocol.send(replies.greeting("mx.example.net")) == b"220 mx.example.net\r\n"
    assert protocol.next_event() is NEED_DATA
    protocol.receive_data(b"EHLO client.example\r\nMAIL FROM:<alice@client.example> SIZE=9\r\n")
    assert protocol.next_event() == Ehlo("client.example")
    assert protocol.next_event() is PAUSED  # MAIL waits for the answer to EHLO
    hello = protocol.send(replies.hello("mx.example.net", protocol.keywords))
    assert hello.startswith(b"250-mx.example.net\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n")
    alice = Address("alice", "client.example")
    assert protocol.next_event() == Mail(alice, "alice@client.example", size=9)
    assert not protocol.in_transaction
    protocol.send(replies.SENDER_OK)
    assert protocol.in_transaction
    protocol.receive_data(b"RCPT TO:<joe@example.net>\r\nDATA\r\n")
    assert protocol.next_event() == Rcpt(Address("joe", "example.net"), "joe@example.net")
    protocol.send(replies.RECIPIENT_OK)
    assert protocol.next_event() == Data()
    assert protocol.send(replies.START_CONTENT).startswith(b"354 ")
    protocol.receive_data(b"Hello\r\n.\r\nQUIT\r\n")
    assert protocol.next_event() == ContentChunk(b"Hello\r\n")
    assert protocol.next_event() == ContentEnd(7, False, False, None)
    assert protocol.next_event() is PAUSED
    assert protocol.send(replies.queued("4F1")) == b"250 2.0.0 Ok: queued as 4F1\r\n"
    assert not protocol.in_transaction


def test_options_are_parsed() -> None:
    session = Session()
    session.talk(DIALOGUE)
    mail = next(event for event in session.events if isinstance(event, Mail))
    assert (mail.size, mail.ret, mail.envid, mail.auth) == (99, "HDRS", "q+1", None)
    rcpt = [event for event in session.events if isinstance(event, Rcpt)][1]
    assert (rcpt.notify, rcpt.orcpt) == (frozenset({"NEVER"}), "rfc822;x@y")


def test_a_dialogue_in_one_piece() -> None:
    session = Session()
    session.talk(DIALOGUE)
    assert session.messages == [
        Message("alice@client.example", ["joe@example.net"], b"Subject: x\r\n\r\n.\r\n"),
        Message("", ["jane@example.net"], b"ab\r\ncd\r\n"),
    ]
    assert session.protocol.closed


@pytest.mark.parametrize("seed", range(30))
def test_how_the_bytes_are_cut_does_not_matter(seed: int) -> None:
    randomly = random.Random(seed)
    whole, cut = Session(), Session()
    expected = whole.talk(DIALOGUE)
    out, at = b"", 0
    while at < len(DIALOGUE):
        size = randomly.choice([1, 2, 3, 10, 100]) if seed else 1
        out += cut.talk(DIALOGUE[at : at + size])
        at += size
    assert out == expected
    assert cut.events == whole.events
    assert cut.messages == whole.messages


WORDS = [
    b"EHLO x", b"HELO x", b"MAIL FROM:<>", b"MAIL FROM:<a@b.c>", b"RCPT TO:<joe@example.net>",
    b"RCPT TO:", b"DATA", b"BDAT 3", b"BDAT 3 LAST", b"BDAT 0", b"BDAT 0 LAST", b"BDAT 99", b"RSET",
    b"NOOP", b"VRFY <a", b"ETRN x", b"STARTTLS", b"AUTH PLAIN", b"QUIT", b".", b"..", b"\r\n",
    b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b" ", b"\x00", b"\xff", b"abc", b"<", b'"', b"x" * 90,
]  # fmt: skip


@pytest.mark.parametrize("policy", ["yes", "no", "reject"])
@pytest.mark.parametrize("seed", range(40))
def test_any_bytes_in_any_pieces_give_the_same_events(seed: int, policy: str) -> None:
    """And never an exception: Session raises on anything it does not know."""
    randomly = random.Random(seed)
    settings = ServerSettings(
        smtpd_forbid_bare_newline=policy, line_length_limit=60, message_size_limit=200,
        smtpd_helo_required=seed % 2 == 0, smtpd_forbidden_commands=(),
    )  # fmt: skip
    for _ in range(10):
        parts = randomly.choices(WORDS, k=randomly.randrange(60))
        # End as many lines as not, or hardly any command would ever be complete.
        data = b"".join(part + (b"\r\n" if randomly.random() < 0.6 else b"") for part in parts)
        whole, cut = Session(settings), Session(settings)
        expected = whole.talk(data)
        out, at = b"", 0
        while at < len(data):
            size = randomly.choice([1, 2, 7, 30])
            out += cut.talk(data[at : at + size])
            at += size
        context = f"seed {seed}, data {data!r}"
        assert out == expected, context
        assert cut.events == whole.events, context
        assert cut.messages == whole.messages, context


def test_pipelined_replies_keep_the_order() -> None:
    session = Session()
    codes = [line[:3] for line in session.talk(DIALOGUE).split(b"\r\n") if line[3:4] == b" "]
    assert codes == [
        b"250", b"250", b"550", b"250", b"354", b"250", b"250", b"500", b"500", b"500",
        b"250", b"250", b"250", b"250", b"503", b"503", b"250", b"221",
    ]  # fmt: skip


def test_a_long_line_is_drained_in_bounded_memory() -> None:
    protocol = greeted(ServerSettings(line_length_limit=100))
    for _ in range(1000):
        protocol.receive_data(b"x" * 1000)
        assert protocol.next_event() is NEED_DATA
        assert protocol.buffered == 0
    protocol.receive_data(b"\r\nNOOP\r\n")
    event = protocol.next_event()
    assert isinstance(event, SyntaxProblem)
    assert protocol.send(event.reply) == b"500 5.5.2 Error: command too long\r\n"
    assert protocol.next_event() == Noop()


def test_content_is_not_kept() -> None:
    protocol = greeted(ServerSettings(message_size_limit=0))
    protocol.receive_data(b"MAIL FROM:<>\r\n")
    protocol.next_event()
    protocol.send(replies.SENDER_OK)
    protocol.receive_data(b"RCPT TO:<joe@example.net>\r\n")
    protocol.next_event()
    protocol.send(replies.RECIPIENT_OK)
    protocol.receive_data(b"DATA\r\n")
    protocol.next_event()
    protocol.send(replies.START_CONTENT)
    for _ in range(100):
        protocol.receive_data(b"0123456789" * 1000)
        assert protocol.next_event() == ContentChunk(b"0123456789" * 1000)
        assert protocol.next_event() is NEED_DATA
        assert protocol.buffered == 0
    protocol.receive_data(b"\r\n.\r\n")
    assert protocol.next_event() == ContentChunk(b"\r\n")
    assert protocol.next_event() == ContentEnd(1_000_002, False, False, None)


def test_content_above_the_limit_is_dropped() -> None:
    """RFC 1870 6.3."""
    session = Session(ServerSettings(message_size_limit=1000))
    session.talk(b"MAIL FROM:<>\r\nRCPT TO:<joe@example.net>\r\nDATA\r\n")
    for _ in range(100):
        assert session.talk(b"x" * 100 + b"\r\n") == b""
    assert sum(len(piece) for piece in session._content) <= 1000
    assert session.talk(b".\r\n") == b"552 5.3.4 Error: message file too big\r\n"
    assert session.messages == []
    assert session.talk(b"NOOP\r\n") == b"250 2.0.0 Ok\r\n"


def test_eight_bits_are_noticed() -> None:
    session = Session()
    session.talk(b"MAIL FROM:<>\r\nRCPT TO:<joe@example.net>\r\nDATA\r\nj\xf6rg\r\n.\r\n")
    end = session.events[-1]
    assert isinstance(end, ContentEnd)
    assert end.eightbit


def test_a_refused_chunk_ends_the_transaction_with_the_last_one() -> None:
    session = Session(ServerSettings(message_size_limit=10))
    session.talk(b"MAIL FROM:<>\r\nRCPT TO:<joe@example.net>\r\nBDAT 12 LAST\r\n0123456789\r\n")
    problem = session.events[-1]
    assert isinstance(problem, SyntaxProblem)
    assert problem.ends_transaction
    assert not session.protocol.in_transaction


def test_a_refused_chunk_is_answered_once_it_is_here() -> None:
    session = Session()
    assert session.talk(b"BDAT 6\r\nQU") == b""
    assert session.talk(b"IT\r\nNOOP\r\n").startswith(b"503 5.5.1 Error: need RCPT command\r\n250")


def test_a_chunk_is_started_without_a_reply() -> None:
    protocol = greeted()
    protocol.receive_data(b"MAIL FROM:<>\r\nRCPT TO:<joe@example.net>\r\nBDAT 2 LAST\r\nab")
    for answer in (replies.SENDER_OK, replies.RECIPIENT_OK):
        protocol.next_event()
        protocol.send(answer)
    assert protocol.next_event() == Bdat(2, last=True)
    assert protocol.send(replies.START_CONTENT) == b""
    assert protocol.next_event() == ContentChunk(b"ab")
    assert protocol.next_event() == ContentChunk(b"\r\n")  # the missing line end
    assert protocol.next_event() == ContentEnd(4, False, False, None, chunk_size=2)


def test_starttls_forgets_what_came_before() -> None:
    """RFC 3207 4.2; what was injected in plain text must not be run under TLS (CVE-2011-0411)."""
    protocol = greeted(extensions=("STARTTLS",))
    assert "STARTTLS" in protocol.keywords
    protocol.receive_data(b"EHLO c.example\r\nSTARTTLS\r\nMAIL FROM:<evil@c.example>\r\n")
    protocol.next_event()
    protocol.send(replies.hello("mx", protocol.keywords))
    assert protocol.next_event() == StartTls()
    protocol.send(reply(220, "2.0.0", "Ready to start TLS"))
    assert protocol.next_event() is NEED_DATA
    assert protocol.buffered == 0
    assert protocol.state is State.START
    protocol.offer(("AUTH PLAIN",))
    assert "STARTTLS" not in protocol.keywords
    protocol.receive_data(b"STARTTLS\r\nAUTH plain dGVzdA==\r\n")
    event = protocol.next_event()
    assert isinstance(event, SyntaxProblem)
    assert protocol.send(event.reply) == b"554 5.5.1 Error: TLS already active\r\n"
    assert protocol.next_event() == Auth("PLAIN", "dGVzdA==")


def test_a_refused_starttls_changes_nothing() -> None:
    protocol = greeted(extensions=("STARTTLS",))
    protocol.receive_data(b"STARTTLS\r\nNOOP\r\n")
    protocol.next_event()
    protocol.send(reply(454, "4.7.0", "TLS not available"))
    assert protocol.next_event() == Noop()


def test_a_refused_connection_may_only_quit() -> None:
    """RFC 5321 3.1."""
    protocol = ServerProtocol(ServerSettings())
    protocol.send(reply(554, "5.7.1", "Go away"))
    protocol.receive_data(b"EHLO c.example\r\nFOO\r\nQUIT\r\n")
    for _ in range(2):
        event = protocol.next_event()
        assert isinstance(event, SyntaxProblem)
        assert protocol.send(event.reply) == b"503 5.7.0 Error: access denied\r\n"
    protocol.next_event()
    protocol.send(replies.BYE)
    assert protocol.closed


@pytest.mark.parametrize("code", [221, 421, 521])
def test_after_a_closing_reply_nothing_is_read(code: int) -> None:
    protocol = greeted()
    protocol.receive_data(b"NOOP\r\nNOOP\r\n")
    protocol.next_event()
    protocol.send(reply(code, "", "Bye"))
    protocol.receive_data(b"NOOP\r\n")
    assert protocol.closed
    assert protocol.next_event() is PAUSED
    assert protocol.buffered == 0


def test_a_timeout_may_be_said_at_any_time() -> None:
    protocol = greeted()
    assert protocol.next_event() is NEED_DATA
    wire = protocol.send(replies.timeout("mx.example.net"))
    assert wire == b"421 4.4.2 mx.example.net Error: timeout exceeded\r\n"
    assert protocol.closed


def test_our_own_mistakes_are_told() -> None:
    protocol = greeted()
    with pytest.raises(OurError):
        protocol.send(replies.OK)
    protocol.receive_data(b"MAIL FROM:<>\r\nRCPT TO:<joe@example.net>\r\nDATA\r\n")
    for answer in (replies.SENDER_OK, replies.RECIPIENT_OK):
        protocol.next_event()
        protocol.send(answer)
    protocol.next_event()
    with pytest.raises(OurError):
        protocol.send(replies.OK)  # DATA wants 354


@pytest.mark.parametrize(
    "before, together, code",
    [
        ("HELO c", "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>", "554"),
        ("EHLO c", "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>", "250"),
        ("EHLO c", "NOOP\r\nMAIL FROM:<a@b>", "554"),
        ("NOOP", "EHLO c\r\nMAIL FROM:<a@b>", "554"),
        ("HELO c", "BOGUS\r\nQUIT", "500"),
    ],
)
def test_who_does_not_wait_may_be_hung_up_on(before: str, together: str, code: str) -> None:
    """postconf(5) smtpd_forbid_unauth_pipelining."""
    session = Session(ServerSettings(smtpd_forbid_unauth_pipelining=True))
    session.talk(f"{before}\r\n".encode())
    assert session.talk(f"{together}\r\n".encode()).decode()[:3] == code
    assert session.protocol.closed is (code == "554" or "QUIT" in together)


def test_improper_pipelining_is_noticed() -> None:
    """RFC 2920 3.1: nothing behind EHLO, DATA, NOOP; nothing at all without EHLO."""
    early = ServerProtocol(ServerSettings())
    early.receive_data(b"HELO")
    early.send(replies.greeting("mx"))
    assert early.improper_pipelining

    proper = Session()
    proper.talk(b"EHLO c.example\r\n")
    proper.talk(b"MAIL FROM:<>\r\nRCPT TO:<joe@example.net>\r\nDATA\r\n")
    proper.talk(b"text\r\n.\r\nMAIL FROM:<>\r\nRSET\r\nQUIT\r\n")
    assert not proper.protocol.improper_pipelining

    for first, second in (
        (b"", b"EHLO c.example\r\nMAIL FROM:<>\r\n"),
        (b"HELO c.example\r\n", b"MAIL FROM:<>\r\nRCPT TO:<joe@example.net>\r\n"),
        (b"EHLO c.example\r\n", b"MAIL FROM:<>\r\nRCPT TO:<joe@example.net>\r\nDATA\r\ntext\r\n"),
    ):
        improper = Session()
        improper.talk(first)
        improper.talk(second)
        assert improper.protocol.improper_pipelining, second


def test_unknown_commands_are_passed_on() -> None:
    session = Session()
    session.talk(b"xadr NAME=spike.example  ADDR=192.0.2.1\r\n")
    assert session.events == [Unknown("XADR", "xadr NAME=spike.example  ADDR=192.0.2.1")]
