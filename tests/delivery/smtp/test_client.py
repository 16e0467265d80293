"""ClientProtocol: the dialogue, partial failures, broken and hostile servers, LMTP, BDAT."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from delivery.errors import OurError, PeerError
from delivery.smtp.client import ClientProtocol
from delivery.smtp.events import NEED_DATA, PAUSED, Signal
from delivery.smtp.exchange import Finished, Goodbye, Ready, Refused, Result
from delivery.smtp.settings import ClientSettings
from tests.delivery.smtp.peers import EHLO, SIMPLE, Peer, fates, mail
from tests.delivery.smtp.sessions import Session


def test_it_works() -> None:
    peer = Peer()
    events = peer.run(mail("joe@far.example", "jane@far.example", size=7), content=b".Hello\r\n")
    assert [type(event) for event in events] == [Ready, Result, Result, Finished, Goodbye]
    assert all(event.is_delivered for event in events if isinstance(event, Result))
    assert fates(events) == [
        ("joe@far.example", 250, "end of DATA"),
        ("jane@far.example", 250, "end of DATA"),
    ]
    assert peer.commands == [
        "EHLO me.test",
        "MAIL FROM:<alice@example.net> SIZE=7",
        "RCPT TO:<joe@far.example> ORCPT=rfc822;joe@far.example",
        "RCPT TO:<jane@far.example> ORCPT=rfc822;jane@far.example",
        "DATA",
        "QUIT",
    ]
    assert peer.contents == [b"..Hello\r\n"]


def test_the_envelope_goes_in_one_piece() -> None:
    """RFC 2920 3.1; but QUIT does not go with the final dot."""
    peer = Peer()
    peer.run(mail("joe@far.example"))
    assert peer.bursts[1].endswith(b"DATA\r\n")
    assert peer.bursts[1].startswith(b"MAIL")
    assert peer.bursts[2].endswith(b"\r\n.\r\n")
    assert peer.bursts[3] == b"QUIT\r\n"


def test_without_pipelining_it_waits() -> None:
    peer = Peer([("EHLO", SIMPLE), ("RCPT TO:<a@", "550 5.1.1 no")])
    events = peer.run(mail("a@far.example", "b@far.example", size=9))
    assert [burst.count(b"\r\n") for burst in peer.bursts[:5]] == [1, 1, 1, 1, 1]
    assert fates(events) == [
        ("a@far.example", 550, "RCPT TO"),
        ("b@far.example", 250, "end of DATA"),
    ]
    assert peer.commands[1] == "MAIL FROM:<alice@example.net>"  # SIZE was not offered


@pytest.mark.parametrize("offer", [EHLO, SIMPLE])
@pytest.mark.parametrize(
    ("where", "answer", "code"),
    [("MAIL", "450 4.3.0 later", "MAIL FROM"), ("DATA", "554 5.7.1 never", "DATA")],
)
def test_the_whole_transaction_is_refused(where: str, answer: str, code: str, offer: str) -> None:
    others = [("RCPT", "503 5.5.1 x"), ("DATA", "503 5.5.1 x")] if where == "MAIL" else []
    peer = Peer([("EHLO", offer), (where, answer), *others])
    events = peer.run(mail("a@far.example", "b@far.example"))
    assert fates(events) == [
        ("a@far.example", int(answer[:3]), code),
        ("b@far.example", int(answer[:3]), code),
    ]
    assert isinstance(events[-1], Goodbye)
    assert peer.contents == []


@pytest.mark.parametrize("offer", [EHLO, SIMPLE])
@pytest.mark.parametrize("data", ["554 5.5.1 no valid recipients", "354 Go on"])
def test_all_recipients_are_refused(offer: str, data: str) -> None:
    """RFC 2920 3.1: after a 354 all the same, an empty message."""
    peer = Peer([("EHLO", offer), ("RCPT", ["550 5.1.1 a", "450 4.1.1 b"]), ("DATA", data)])
    events = peer.run(mail("a@far.example", "b@far.example"))
    assert fates(events) == [("a@far.example", 550, "RCPT TO"), ("b@far.example", 450, "RCPT TO")]
    assert isinstance(events[-1], Goodbye)
    assert b"".join(peer.contents) == b""


def test_a_connection_is_used_again_after_rset() -> None:
    peer = Peer([("RCPT TO:<no@", "550 5.1.1 no"), ("DATA", ["554 5.5.1 x", "354 Go on"])])
    events = peer.run(mail("no@far.example"), mail("b@far.example"))
    assert fates(events) == [
        ("no@far.example", 550, "RCPT TO"),
        ("b@far.example", 250, "end of DATA"),
    ]
    assert peer.commands[4:6] == ["RSET", "MAIL FROM:<alice@example.net>"]
    assert peer.bursts[2].startswith(b"RSET\r\nMAIL FROM")


def test_no_rset_after_success() -> None:
    peer = Peer()
    peer.run(mail("a@far.example"), mail("b@far.example"))
    assert "RSET" not in peer.commands
    assert peer.commands.count("DATA") == 2


@pytest.mark.parametrize(
    "answer", ["450 4.3.0 later", "550 5.7.1 never", "354 go on", "150 wait", "502 no"]
)
def test_helo_when_ehlo_fails(answer: str) -> None:
    """RFC 5321 3.2; and then nothing is offered."""
    peer = Peer([("EHLO", answer), ("HELO", "250 mx.far.example")])
    events = peer.run(mail("a@far.example", size=9, body="8BITMIME", ret="FULL", envid="x"))
    assert peer.commands[:3] == ["EHLO me.test", "HELO me.test", "MAIL FROM:<alice@example.net>"]
    assert fates(events) == [("a@far.example", 250, "end of DATA")]


def test_helo_when_it_is_told_so() -> None:
    never = ClientSettings(smtp_helo_name="me.test", smtp_never_send_ehlo=True)
    peer = Peer(settings=never)
    peer.run(mail("a@far.example"))
    assert peer.commands[0] == "HELO me.test"
    shy = ClientSettings(smtp_helo_name="me.test", smtp_always_send_ehlo=False)
    for greeting, verb in (("220 mx SMTP", "HELO"), ("220 mx ESMTP", "EHLO")):
        peer = Peer(settings=shy, greeting=greeting)
        peer.run(mail("a@far.example"))
        assert peer.commands[0] == f"{verb} me.test"


@pytest.mark.parametrize("greeting", ["450 4.3.0 x", "550 5.7.1 x", "421 4.3.2 x", "354 x"])
def test_a_greeting_may_refuse(greeting: str) -> None:
    peer = Peer(greeting=greeting)
    events = peer.run()
    assert [type(event) for event in events] == [Refused, Goodbye]
    assert isinstance(events[0], Refused)
    assert events[0].answer.code == int(greeting[:3])
    assert peer.commands == ["QUIT"]


def test_helo_may_refuse_too() -> None:
    peer = Peer([("EHLO", "500 no"), ("HELO", "550 5.7.1 never")])
    assert [type(event) for event in peer.run()] == [Refused, Goodbye]
    peer = Peer([("EHLO", "421 4.3.2 closing")])
    assert [type(event) for event in peer.run()] == [Refused, Goodbye]
    assert peer.commands == ["EHLO me.test", "QUIT"]


def test_smtputf8_must_be_offered() -> None:
    """RFC 6531 3.1."""
    peer = Peer([("EHLO", "250-mx\r\n250 SMTPUTF8")])
    peer.run(mail("jörg@far.example", smtputf8=True))
    assert peer.commands[1:3] == [
        "MAIL FROM:<alice@example.net> SMTPUTF8",
        "RCPT TO:<jörg@far.example>",
    ]
    with pytest.raises(OurError, match="SMTPUTF8"):
        Peer().run(mail("jörg@far.example", smtputf8=True))


def test_421_for_one_recipient_is_not_the_end() -> None:
    """As Postfix: the other replies count, only the connection is not used again."""
    peer = Peer([("RCPT TO:<a@", "421 4.3.2 closing")])
    events = peer.run(mail("a@far.example", "b@far.example"), mail("c@far.example"))
    assert fates(events) == [
        ("a@far.example", 421, "RCPT TO"),
        ("b@far.example", 250, "end of DATA"),
    ]
    assert peer.client.closing
    assert peer.commands[-1] == "QUIT"


def test_421_and_closed() -> None:
    peer = Peer([("RCPT TO:<a@", ["421 4.3.2 closing"]), ("RCPT", None)])
    events = peer.run(mail("a@far.example", "b@far.example"))
    assert fates(events) == [("a@far.example", 421, "RCPT TO")]
    assert isinstance(events[-1], PeerError)
    assert str(events[-1]) == "lost connection while sending RCPT TO"
    assert [one.address.local for one in peer.client.unresolved] == ["b"]


def test_421_while_idle_is_remembered() -> None:
    client = ClientProtocol(ClientSettings())
    client.receive_data(b"220 x\r\n")
    assert client.next_event() is NEED_DATA
    client.receive_data(b"250 x\r\n")
    assert isinstance(client.next_event(), Ready)
    client.receive_data(b"421 4.4.2 idle too long\r\n")
    assert client.next_event() is PAUSED
    assert client.closing
    client.receive_eof()
    assert client.next_event() == Goodbye()


@pytest.mark.parametrize(
    ("where", "doing"),
    [
        ("EHLO", "performing the EHLO handshake"),
        ("MAIL", "sending MAIL FROM"),
        ("RCPT", "sending RCPT TO"),
        ("DATA", "sending DATA command"),
        (".", "sending end of data -- message may be sent more than once"),
    ],
)
def test_a_lost_connection_tells_where(where: str, doing: str) -> None:
    peer = Peer([(where, None)])
    events = peer.run(mail("a@far.example"))
    assert str(events[-1]) == f"lost connection while {doing}"
    assert fates(events) == []
    assert peer.client.doing == doing


def test_no_greeting() -> None:
    events = Peer(greeting=None).run()
    assert str(events[-1]) == "lost connection while receiving the initial server greeting"


def test_hanging_up_after_the_message_is_no_failure() -> None:
    events = Peer([("QUIT", None)]).run(mail("a@far.example"))
    assert fates(events) == [("a@far.example", 250, "end of DATA")]
    assert isinstance(events[-1], Goodbye)


@pytest.mark.parametrize("where", ["EHLO", "MAIL", "RCPT", "DATA", "."])
def test_garbage_is_a_peer_error(where: str) -> None:
    """Postfix skips such lines and may take a later reply for this one; we do not."""
    peer = Peer([(where, "what is this\r\n250 2.0.0 Ok")])
    events = peer.run(mail("a@far.example"))
    assert isinstance(events[-1], PeerError)
    assert fates(events) == []
    assert len(peer.client.unresolved) == (where != "EHLO")
    with pytest.raises(OurError):
        peer.client.start(mail("a@far.example"))


def test_a_success_out_of_place_is_no_delivery() -> None:
    """Replies that are one too many shift all the others; as Postfix, 5.5.0."""
    peer = Peer([("MAIL", "250 Ok\r\n250 Ok")])
    events = peer.run(mail("a@far.example"))
    (result,) = [event for event in events if isinstance(event, Result)]
    assert (result.answer.code, result.command) == (250, "DATA")
    assert not result.is_delivered
    assert result.dsn == "5.5.0"


def test_a_reply_nobody_asked_for_is_a_peer_error() -> None:
    peer = Peer([(".", "250 Ok\r\n250 Ok")])
    events = peer.run(mail("a@far.example"), mail("b@far.example"))
    assert fates(events) == [("a@far.example", 250, "end of DATA")]
    assert str(events[-1]) == "a reply out of turn: 250 Ok"
    assert len(peer.client.unresolved) == 1
    assert peer.commands.count("DATA") == 1
    client = ClientProtocol(ClientSettings())
    client.receive_data(b"220 x\r\n")
    client.next_event()
    client.receive_data(b"250 x\r\n250 y\r\n")
    assert isinstance(client.next_event(), Ready)
    with pytest.raises(PeerError, match="out of turn"):
        client.next_event()


def test_a_server_may_refuse_in_the_middle_of_the_message() -> None:
    client = ClientProtocol(ClientSettings())
    for data in (b"220 x\r\n", b"250 x\r\n"):
        client.receive_data(data)
        event = client.next_event()
    assert isinstance(event, Ready)
    client.start(mail("a@far.example"))
    for _ in range(2):
        client.receive_data(b"250 x\r\n")
        assert client.next_event() is NEED_DATA
    client.receive_data(b"354 x\r\n")
    client.next_event()
    client.send_content(b"Hello\r\n")
    client.receive_data(b"421 4.3.2 disk full\r\n")
    result, finished = client.next_event(), client.next_event()
    assert isinstance(result, Result)
    assert result.answer.code == 421
    assert finished == Finished()
    assert client.closing
    client.data_to_send()
    client.quit()
    assert client.data_to_send() == b""  # in the middle of a message QUIT would be text
    assert client.next_event() == Goodbye()


def test_lmtp_answers_for_each_recipient() -> None:
    """RFC 2033 4.2."""
    peer = Peer(
        [("RCPT TO:<b@", "550 5.1.1 no b"), (".", ["250 2.1.5 a", "452 4.2.2 c is full"])],
        lmtp=True,
    )
    events = peer.run(mail("a@far.example", "b@far.example", "c@far.example"))
    assert peer.commands[0] == "LHLO me.test"
    assert fates(events) == [
        ("b@far.example", 550, "RCPT TO"),
        ("a@far.example", 250, "end of DATA"),
        ("c@far.example", 452, "end of DATA"),
    ]


def test_lmtp_loses_only_what_was_not_answered() -> None:
    peer = Peer([(".", ["250 2.1.5 a", None])], lmtp=True)
    events = peer.run(mail("a@far.example", "b@far.example"))
    assert fates(events) == [("a@far.example", 250, "end of DATA")]
    assert isinstance(events[-1], PeerError)
    assert [one.address.local for one in peer.client.unresolved] == ["b"]


def test_lmtp_has_no_helo() -> None:
    peer = Peer([("LHLO", "500 5.5.1 not lmtp")], lmtp=True)
    assert [type(event) for event in peer.run()] == [Refused, Goodbye]
    assert peer.commands == ["LHLO me.test", "QUIT"]


@pytest.mark.parametrize(
    "offer", [EHLO.replace("250 DSN", "250 CHUNKING"), "250-x\r\n250 chunking"]
)
def test_bdat_where_it_is_offered(offer: str) -> None:
    """RFC 3030."""
    peer = Peer([("EHLO", offer)], chunking=True)
    events = peer.run(mail("a@far.example"), content=b".Hello\n.\r\n")
    assert fates(events) == [("a@far.example", 250, "end of DATA")]
    assert peer.commands[3:5] == ["BDAT 11", "BDAT 0 LAST"]
    assert peer.contents == [b".Hello\r\n.\r\n", b""]


def test_data_where_it_is_not() -> None:
    assert "CHUNKING" not in EHLO
    peer = Peer(chunking=True)
    peer.run(mail("a@far.example"))
    assert "DATA" in peer.commands


def test_a_refused_chunk_ends_it() -> None:
    offer = EHLO.replace("250 DSN", "250 CHUNKING")
    peer = Peer([("EHLO", offer), ("BDAT", "552 5.3.4 too big")], chunking=True)
    events = peer.run(mail("a@far.example"), mail("b@far.example"))
    assert fates(events)[0] == ("a@far.example", 552, "BDAT")
    assert "RSET" in peer.commands


def test_calls_out_of_turn_are_our_errors() -> None:
    client = ClientProtocol(ClientSettings())
    for call in (
        lambda: client.start(mail("a@far.example")),
        lambda: client.send_content(b"x"),
        client.end_content,
        client.quit,
    ):
        with pytest.raises(OurError):
            call()


def test_many_recipients_are_no_trouble() -> None:
    everybody = [f"user{n}@far.example" for n in range(2000)]
    events = Peer([("RCPT TO:<user7@", "550 no")]).run(mail(*everybody))
    assert len(fates(events)) == 2000
    assert sum(code == 550 for _, code, _ in fates(events)) == 1


@pytest.mark.parametrize("seed", range(30))
def test_any_server_gives_events_or_a_peer_error(seed: int) -> None:
    """And every recipient has one Result, or is unresolved; never both, never neither."""
    randomly = random.Random(seed)
    parts = [
        b"220 x",
        b"250 ok",
        b"250-x",
        b"354 go",
        b"450 no",
        b"550 no",
        b"421 x",
        b"zzz",
        b"25",
    ]
    for _ in range(50):
        client = ClientProtocol(ClientSettings(smtp_send_bdat=seed % 3 == 0), lmtp=seed % 2 == 0)
        started, results = 0, 0
        client.receive_data(b"220 x\r\n")
        if randomly.random() < 0.8:
            client.receive_data(b"250-x\r\n250-CHUNKING\r\n250 PIPELINING\r\n")
        try:
            for _ in range(60):
                event = client.next_event()
                match event:
                    case Ready() | Finished() if not client.closing:
                        client.start(mail("a@far.example", "b@far.example"))
                        started += 2
                    case Result():
                        results += 1
                    case Ready() | Refused() | Finished():
                        client.quit()
                    case Goodbye():
                        break
                    case Signal():
                        line = randomly.choice(parts) + b"\r\n"
                        client.receive_data(line[: randomly.choice([1, 9, 9, 9])] + line[9:])
                    case _:
                        client.send_content(b"x\r\n")
                        if not client._owed:
                            client.end_content()
                client.data_to_send()
        except PeerError:
            assert client.next_event() is PAUSED
        assert started == results + len(client.unresolved), f"seed {seed}"


@pytest.mark.parametrize("chunking", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_both_ends_understand_each_other(seed: int, chunking: bool) -> None:
    """A message through ClientProtocol and ServerProtocol, cut at random on the way."""
    randomly = random.Random(seed)
    lines = [b"", b".", b"..", b"text", b"\xe9", b"From x"]
    content = b"".join(randomly.choice(lines) + b"\r\n" for _ in range(randomly.randrange(20)))
    client = ClientProtocol(ClientSettings(smtp_send_bdat=chunking))
    session = Session()
    client.receive_data(session.greeting)
    rest = content
    while not isinstance(event := client.next_event(), Goodbye):
        match event:
            case Ready():
                client.start(mail("joe@example.net", "no@example.net", size=len(content)))
            case Finished():
                client.quit()
            case Result() | Signal():
                pass
            case _:
                piece, rest = rest[:7], rest[7:]
                if piece:
                    client.send_content(piece)
                else:
                    client.end_content()
        data = client.data_to_send()
        while data:
            size = randomly.choice([1, 5, 1000])
            client.receive_data(session.talk(data[:size]))
            data = data[size:]
    (message,) = session.messages
    assert message.content == content
    assert (message.sender, message.recipients) == ("alice@example.net", ["joe@example.net"])


def test_a_probe_ends_with_the_answers_to_rcpt() -> None:
    """And is undone before the next transaction."""
    for ehlo in (EHLO, SIMPLE):
        peer = Peer([("EHLO", ehlo), ("RCPT TO:<no@", "550 5.1.1 no")])
        asked = replace(mail("no@far.example", "yes@far.example"), is_probe=True)
        events = peer.run(asked, mail("b@far.example"))
        assert fates(events) == [
            ("no@far.example", 550, "RCPT TO"),
            ("yes@far.example", 250, "RCPT TO"),
            ("b@far.example", 250, "end of DATA"),
        ]
        assert peer.commands.count("DATA") == 1
        assert "RSET" in peer.commands


TO_DATA = ClientSettings(smtp_helo_name="me.test", smtp_address_verify_target="data")


@pytest.mark.parametrize("ehlo", [EHLO, SIMPLE])
def test_a_probe_may_go_as_far_as_data(ehlo: str) -> None:
    """And then hangs up: the server would take a message."""
    peer = Peer([("EHLO", ehlo), ("RCPT TO:<no@", "550 5.1.1 no")], settings=TO_DATA)
    events = peer.run(replace(mail("no@far.example", "yes@far.example"), is_probe=True))
    assert fates(events) == [
        ("no@far.example", 550, "RCPT TO"),
        ("yes@far.example", 354, "DATA"),
    ]
    assert (peer.commands[-1], peer.contents) == ("DATA", [])
    assert peer.client.closing


@pytest.mark.parametrize("ehlo", [EHLO, SIMPLE])
def test_a_probe_hears_what_data_is_told(ehlo: str) -> None:
    peer = Peer([("EHLO", ehlo), ("DATA", "550 5.7.1 not from you")], settings=TO_DATA)
    events = peer.run(replace(mail("yes@far.example"), is_probe=True), mail("b@far.example"))
    assert fates(events) == [
        ("yes@far.example", 550, "DATA"),
        ("b@far.example", 550, "DATA"),
    ]
    assert "RSET" in peer.commands
