"""sendmail -bs: SMTP on standard input."""

from __future__ import annotations

import io
from pathlib import Path

from delivery.submission import drop
from delivery.submission.drop import Drop, Slip, Terms
from delivery.submission.session import PIECE, Session

TERMS = Terms(
    myhostname="mx.here.example", smtpd_banner="mx.here.example ESMTP", message_size_limit=1000
)


def talk(directory: Path, *lines: str, eol: str = "\n") -> list[str]:
    """What the session says to these lines."""
    sink = io.BytesIO()
    said = "".join(line + eol for line in lines).encode()
    Session(directory, TERMS).serve(io.BytesIO(said), sink)
    return sink.getvalue().decode().split("\r\n")[:-1]


def left(directory: Path) -> list[tuple[Slip, bytes]]:
    found = Drop(directory)
    messages = []
    for name in found.names():
        dropped = found.open(name)
        messages.append((dropped.slip, b"".join(dropped.pieces())))
        dropped.close()
    return messages


def test_a_message(tmp_path: Path) -> None:
    drop.make_drop(tmp_path)
    replies = talk(
        tmp_path,
        "EHLO local.example",
        "MAIL FROM:<joe@here.example> RET=HDRS ENVID=e BODY=8BITMIME",
        "RCPT TO:<ann@far.example> NOTIFY=NEVER ORCPT=rfc822;x",
        "RCPT TO:<bob>",
        "DATA",
        "Subject: x",
        "",
        "..dots",
        ".",
        "FOO",
        "QUIT",
    )
    codes = [reply[:3] for reply in replies if reply[3] == " "]
    assert codes == ["220", "250", "250", "250", "250", "354", "250", "500", "221"]
    [(slip, text)] = left(tmp_path)
    assert slip.sender.internal == "joe@here.example"
    ann, bob = slip.recipients
    assert (ann.address.internal, ann.notify, ann.orcpt) == (
        "ann@far.example",
        {"NEVER"},
        "rfc822;x",
    )
    assert (bob.address.internal, bob.notify) == ("bob", frozenset())
    assert (slip.ret, slip.envid, slip.eightbit) == ("HDRS", "e", True)
    assert text.startswith(b"Received: from local.example (localhost [127.0.0.1])\r\n")
    assert text.endswith(b"\r\nSubject: x\r\n\r\n.dots\r\n")


def test_line_ends_of_the_protocol(tmp_path: Path) -> None:
    drop.make_drop(tmp_path)
    talk(tmp_path, "HELO x", "MAIL FROM:<>", "RCPT TO:<a>", "DATA", "", "y", ".", eol="\r\n")
    [(slip, text)] = left(tmp_path)
    assert not slip.sender
    assert text.endswith(b"\r\n\r\ny\r\n")
    assert b"\r\n\tfor <a>; " in text


def test_what_is_not_finished_leaves_nothing(tmp_path: Path) -> None:
    drop.make_drop(tmp_path)
    talk(tmp_path, "HELO x", "MAIL FROM:<>", "RCPT TO:<a>", "DATA", "half")
    talk(tmp_path, "HELO x", "MAIL FROM:<>", "RCPT TO:<a>", "DATA", "x" * 2000, ".")
    assert [item.name for item in tmp_path.iterdir()] == ["wake"]


def test_chunks_have_the_octets_that_were_announced(tmp_path: Path) -> None:
    drop.make_drop(tmp_path)
    replies = talk(
        tmp_path, "EHLO x", "MAIL FROM:<>", "RCPT TO:<a>", "BDAT 14 LAST", "Subject: x\n\nb", "QUIT"
    )
    assert [reply[:3] for reply in replies if reply[3] == " "][-2:] == ["250", "221"]
    [(_, text)] = left(tmp_path)
    assert text.endswith(b"\r\nSubject: x\r\n\r\nb\r\n")


def test_a_line_end_is_one_however_it_is_read(tmp_path: Path) -> None:
    drop.make_drop(tmp_path)
    lines = ("HELO x", "MAIL FROM:<>", "RCPT TO:<a>", "DATA", "", "x" * (PIECE - 1), "end", ".")
    sink = io.BytesIO()
    said = "".join(f"{line}\r\n" for line in lines).encode()
    Session(tmp_path, Terms()).serve(io.BytesIO(said), sink)
    [(_, text)] = left(tmp_path)
    assert text.endswith(b"xx\r\nend\r\n")


def test_two_messages(tmp_path: Path) -> None:
    drop.make_drop(tmp_path)
    one = ("MAIL FROM:<>", "RCPT TO:<a>", "DATA", "x", ".")
    talk(tmp_path, "HELO x", *one, "MAIL FROM:<>", "RSET", *one)
    assert len(left(tmp_path)) == 2


def test_other_commands(tmp_path: Path) -> None:
    replies = talk(tmp_path, "NOOP", "VRFY joe", "ETRN x", "AUTH PLAIN", "RCPT TO:<a>", "STARTTLS")
    assert [reply[:3] for reply in replies] == ["220", "250", "252", "502", "503", "503", "502"]


def test_a_program_that_talks_no_smtp(tmp_path: Path) -> None:
    replies = talk(tmp_path, "From: joe@here.example", "more")
    assert [reply[:3] for reply in replies] == ["220", "221"]


def test_a_disk_that_does_not_take_it(tmp_path: Path) -> None:
    replies = talk(
        tmp_path / "none", "HELO x", "MAIL FROM:<>", "RCPT TO:<a>", "DATA", "x", ".", "QUIT"
    )
    assert [reply[:3] for reply in replies][-2:] == ["451", "221"]
