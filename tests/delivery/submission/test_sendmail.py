"""sendmail(1), up to the drop directory."""

from __future__ import annotations

import io
import os
import pwd
from pathlib import Path

import pytest

from delivery.submission import drop
from delivery.submission.drop import Drop, Slip, Terms
from delivery.submission.sendmail import main

LETTER = b"From: x\nTo: joe, ann@far.example\nBcc: b\n\nhello\n.\nmore\n"


class Command:
    """The command in a home of its own."""

    def __init__(self, home: Path) -> None:
        self.directory = home / "drop"
        drop.make_drop(self.directory)
        self.asked: list[list[str]] = []

    def run(self, *words: str, text: bytes = LETTER) -> int:
        return main(words, ask=self._ask, source=io.BytesIO(text))

    def _ask(self, words: list[str]) -> int:
        self.asked.append(words)
        return 69

    def left(self) -> tuple[Slip, bytes]:
        """The one message that is there."""
        found = Drop(self.directory)
        [name] = found.names()
        dropped = found.open(name)
        text = b"".join(dropped.pieces())
        dropped.close()
        return dropped.slip, text


@pytest.fixture(name="command")
def _command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("WAYPOST_HOME", str(tmp_path))
    monkeypatch.delenv("NAME", raising=False)
    return Command(tmp_path)


def test_a_message_waits_without_an_engine(command: Command) -> None:
    assert command.run("joe@far.example", "ann") == 0
    slip, text = command.left()
    assert slip.sender.internal == pwd.getpwuid(os.getuid()).pw_name
    assert [each.address.internal for each in slip.recipients] == ["joe@far.example", "ann"]
    assert text == LETTER.partition(b".\nmore")[0]


def test_recipients_of_the_headers(command: Command) -> None:
    assert command.run("-t", "-i", "also@far.example") == 0
    slip, text = command.left()
    assert [each.address.internal for each in slip.recipients] == [
        "also@far.example",
        "joe",
        "ann@far.example",
        "b",
    ]
    assert text == LETTER


def test_who_sends(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", "From\nthe environment")
    assert command.run("-f", "<>", "-F", 'Full "N"', "joe") == 0
    slip, _ = command.left()
    assert not slip.sender
    assert slip.full_name == 'Full "N"'


def test_a_sender_that_is_no_address(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run("-f", "a@far.example b\x1b", "joe") == 0
    assert command.left()[0].sender.internal == "a@far.example"
    said = capsys.readouterr().err
    assert said == "sendmail: warning: -f option specified malformed sender: a@far.example b?\n"


def test_the_name_of_the_environment(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", "From\nthe environment")
    assert command.run("-f", "me@far.example", "-G", "joe") == 0
    slip, _ = command.left()
    assert slip.sender.internal == "me@far.example"
    assert slip.full_name == "From the environment"
    assert slip.is_relayed


def test_a_report_is_promised(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run("-v", "joe") == 0
    assert command.left()[0].is_traced
    assert "will be mailed" in capsys.readouterr().out


def test_a_question_needs_no_message(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run("-bv", "joe", "ann@far.example") == 0
    slip, text = command.left()
    assert slip.is_probe
    assert slip.is_traced
    assert text == b"Subject: probe\nTo: joe,\n\tann@far.example\n\n"
    assert "will be mailed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "text", "said"),
    [
        ((), LETTER, "Recipient addresses must be specified"),
        (("-t",), b"Subject: x\n\n", "No recipient addresses found in message header"),
        (("<>",), LETTER, "No recipient addresses found in the arguments"),
        (("-bt",), LETTER, "unsupported: -bt"),
        (("-t",), b"To: joe\n\n" + b"x" * 200_000, "message file too big"),
        (
            ("-t", "-f", "a@b"),
            b"Bcc: " + b"x" * 105_000,
            f"a@b({os.getuid()}): unable to extract",
        ),
    ],
)
def test_what_is_not_taken_leaves_nothing(
    command: Command,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    text: bytes,
    said: str,
) -> None:
    drop.publish(command.directory, Terms(message_size_limit=120_000))
    assert command.run(*words, text=text) == os.EX_TEMPFAIL
    assert said in capsys.readouterr().err
    assert sorted(item.name for item in command.directory.iterdir()) == ["terms.json", "wake"]


@pytest.mark.parametrize(
    "words", [("-f", "j\udcf6", "joe"), ("joe", "j\udcf6@far.example"), ("-t",)]
)
def test_what_the_queue_would_not_take_is_refused_here(
    command: Command, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    text = b"To: J\xf6rg <joe>, j\xf6@far.example\n\n"
    assert command.run(*words, text=text) == os.EX_DATAERR
    assert "Address is not valid UTF-8: " in capsys.readouterr().err
    assert Drop(command.directory).names() == []
    assert command.run("-F", "J\udcf6rg", "-t", text=text[:17]) == 0


def test_without_a_name(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert command.run("joe") == os.EX_OSERR
    assert command.run("-bs", text=b"QUIT\r\n") == 0


@pytest.mark.parametrize(
    ("users", "status"),
    [(("static:anyone",), 0), (("{me}", "x"), 0), (("x", "hash:maybe"), 0), (("x",), 75), ((), 75)],
)
def test_who_may_submit(
    users: tuple[str, ...], status: int, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    me = pwd.getpwuid(os.getuid()).pw_name
    named = tuple(word.format(me=me) for word in users)
    drop.publish(command.directory, Terms(authorized_submit_users=named))
    assert command.run("joe") == status
    assert len(Drop(command.directory).names()) == (status == 0)
    assert ("is not allowed to submit mail" in capsys.readouterr().err) == (status != 0)
    assert command.run("-bs", text=b"QUIT\r\n") == status
    assert capsys.readouterr().out.count("220 ") == (status == 0)


def test_without_a_drop_directory(
    command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYPOST_HOME", "/nonexistent")
    assert command.run("joe") == os.EX_TEMPFAIL
    assert "No such file or directory: /nonexistent/drop" in capsys.readouterr().err


def test_what_others_do(command: Command) -> None:
    assert command.run("-bp") == 69
    assert command.run("-q") == 69
    assert command.run("-qRfar.example") == 69
    assert command.run("-qI4jbqC56h6Vz0") == 69
    assert command.asked == [
        ["mailq"],
        ["postqueue", "-f"],
        ["postqueue", "-s", "far.example"],
        ["postqueue", "-i", "4jbqC56h6Vz0"],
    ]
    assert command.run("-bi") == 69
    assert command.asked[-1] == ["newaliases"]
    assert Drop(command.directory).names() == []
