"""postqueue, postsuper, postcat: what they do, say and end with."""

from __future__ import annotations

import io
import json
import os
import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.__main__ import main
from delivery.runtime.control import ControlError
from delivery.runtime.control import ask as ask_socket
from delivery.submission.drop import Slip, Writer
from delivery.values import Recipient
from tables.addresses import Address
from tests.wire.engine import Home, Running
from tests.wire.polling import eventually
from tests.wire.talk import mail

Out = pytest.CaptureFixture[str]


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    home = Home(tmp_path)
    home.publish(values={"defer_transports": "smtp", "relay_domains": "relayed.example"})
    monkeypatch.setenv("WAYPOST_HOME", str(tmp_path))
    with Running(home) as running:
        yield running


@pytest.fixture
def ids(engine: Running) -> list[str]:
    """Three deferred messages."""
    found = [mail(engine.port, "joe@example.com", f"x{n}@far.example") for n in range(3)]
    eventually(lambda: engine.ask("status")["queue"]["deferred"] == 3)
    return found


def states(capsys: Out) -> dict[str, str]:
    capsys.readouterr()
    assert main(["postqueue", "-j"]) == 0
    lines = map(json.loads, capsys.readouterr().out.splitlines())
    return {line["queue_id"]: line["queue_name"] for line in lines}


def test_it_works(ids: list[str], capsys: Out) -> None:
    first, second, third = ids
    assert main(["postsuper", "-h", first]) == 0
    said = capsys.readouterr().err
    assert said == (f"postsuper: {first}: placed on hold\npostsuper: Placed on hold: 1 message\n")
    assert states(capsys) == {first: "hold", second: "deferred", third: "deferred"}
    assert main(["postsuper", "-H", "ALL", "-d", second]) == 0
    assert "Deleted: 1 message\npostsuper: Released from hold: 1 message\n" in (
        capsys.readouterr().err
    )
    assert set(states(capsys)) == {first, third}
    assert main(["postsuper", "-d", "ALL"]) == 0
    assert capsys.readouterr().err == "postsuper: Deleted: 2 messages\n"
    assert main(["postqueue", "-p"]) == 0
    assert capsys.readouterr().out == "Mail queue is empty\n"


def test_the_list(ids: list[str], capsys: Out) -> None:
    assert main(["postqueue", "-j"]) == 0
    first, *_ = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["sender"] == "joe@example.com"
    assert first["forced_expire"] is False
    assert type(first["arrival_time"]) is int
    assert first["recipients"] == [
        {"address": "x0@far.example", "delay_reason": "deferred transport"}
    ]
    for command in (["postqueue", "-p"], ["mailq"]):
        assert main(command) == 0
        assert capsys.readouterr().out.endswith(" in 3 Requests.\n")


def test_queues_and_standard_input_choose(
    ids: list[str], capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["postsuper", "-h", ids[0]])
    given = f"{ids[0]}\nNOSUCH\n\n{ids[1]}  123 Mon ...\n{ids[1]}*\nbad\xff\n".encode("latin-1")
    for queue, count in (("deferred", "0 messages"), ("hold", "1 message")):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given)))
        capsys.readouterr()
        assert main(["postsuper", "-r", "NOSUCH", "-d", "-", queue]) == 0
        removed = f"postsuper: {ids[0]}: removed\n" if queue == "hold" else ""
        warnings = ["", f"{ids[1]}  123 Mon ...", f"{ids[1]}*", "bad\N{REPLACEMENT CHARACTER}"]
        assert capsys.readouterr().err == (
            "".join(f"postsuper: warning: invalid mail queue id: {word}\n" for word in warnings)
            + f"{removed}postsuper: Requeued: 0 messages\npostsuper: Deleted: {count}\n"
        )
    main(["postsuper", "-h", ids[2]])
    assert main(["postsuper", "-d", "ALL", "hold"]) == 0
    assert list(states(capsys)) == ids[1:2]


def test_a_step_that_changes_nothing_is_not_counted(ids: list[str], capsys: Out) -> None:
    def said(*options: str) -> list[str]:
        capsys.readouterr()
        assert main(["postsuper", *options]) == 0
        return [line.removeprefix("postsuper: ") for line in capsys.readouterr().err.splitlines()]

    main(["postsuper", "-h", ids[0], "-h", ids[1]])
    assert said("-e", ids[0]) == [f"{ids[0]}: expired", "Force-expired: 1 message"]
    assert said("-e", ids[0]) == ["Force-expired: 0 messages"]
    assert said("-f", ids[0]) == [
        f"{ids[0]}: released from hold",
        "Force-expired: 0 messages",
        "Released from hold: 1 message",
    ]
    assert said("-f", ids[1])[:2] == [f"{ids[1]}: expired", f"{ids[1]}: released from hold"]
    assert said("-f", "ALL") == ["Force-expired: 1 message", "Released from hold: 0 messages"]
    assert said("-v", "-s") == []


def test_expired_mail_is_returned(ids: list[str], engine: Running, capsys: Out) -> None:
    main(["postsuper", "-h", "ALL"])
    assert main(["postsuper", "-f", ids[0]]) == 0
    assert "Force-expired: 1 message" in capsys.readouterr().err
    assert states(capsys)[ids[0]] == "deferred"
    main(["postqueue", "-f"])
    eventually(lambda: ids[0] not in states(capsys))


def test_requeued_mail_begins_anew(ids: list[str], engine: Running, capsys: Out) -> None:
    main(["postsuper", "-h", ids[1]])
    capsys.readouterr()
    assert main(["postsuper", "-r", ids[0], "-r", ids[1]]) == 0
    assert "Requeued: 2 messages" in capsys.readouterr().err
    eventually(lambda: engine.ask("status")["queue"]["deferred"] == 3)
    now = states(capsys)
    assert not now.keys() & set(ids[:2])
    newest = max(now)
    assert main(["postcat", "-q", newest]) == 0
    shown = capsys.readouterr().out
    assert shown.count("Received: ") == 2, "the way it has gone can be seen"


def test_postcat_shows_what_was_asked_of_reports(engine: Running, capsys: Out) -> None:
    with smtplib.SMTP("127.0.0.1", engine.port) as client:
        client.ehlo()
        client.mail("joe@example.com", ["RET=HDRS", "ENVID=ours"])
        client.rcpt("{}@far.example", ["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;ann@x"])
        client.data(b"Subject: x\r\n\r\ny\r\n")
    [queue_id] = states(capsys)
    assert main(["postcat", "-e", "-q", queue_id]) == 0
    shown = capsys.readouterr().out
    assert "named_attribute: envelope_id=ours\nnamed_attribute: ret_flags=2\nsender: joe" in shown
    assert (
        "named_attribute: notify_flags=10\nnamed_attribute: dsn_orig_rcpt=rfc822;ann@x\n"
        "original_recipient: {}@far.example\nrecipient: {}@far.example\n"
    ) in shown


STATUSES = [
    (["postsuper", "-x"], 1, "invalid option -- 'x'"),
    (["postsuper", "-d"], 1, "option requires an argument -- 'd'"),
    (["postsuper", "-d", "ALL", "bogus"], 1, "invalid directory name: bogus"),
    (["postsuper", "-s"], 0, ""),
    (["postsuper", "-d", "ALL", "defer", "bounce", "flush"], 0, "Deleted: 0 messages"),
    (["postsuper", "-c", "/etc/postfix-out", "-d", "ALL"], 1, "cannot be chosen: -c"),
    (["postsuper", "--all"], 1, "invalid option -- '-'"),
    (["postsuper", "-d", "NOSUCH"], 0, "Deleted: 0 messages"),
    (["postqueue"], 69, "usage: postqueue"),
    (["postqueue", "-x"], 69, "invalid option -- 'x'"),
    (["postqueue", "-p", "-f"], 69, "usage: postqueue"),
    (["postqueue", "-i", "NOSUCH"], 0, ""),
    (["postqueue", "-i", "bad id"], 69, "invalid name"),
    (["postqueue", "-s", "bad domain"], 69, "invalid destination"),
    (["postqueue", "-s", "far.example"], 69, "not configured for destination"),
    (["postqueue", "-s", "relayed.example"], 0, ""),
    (["postqueue", "-f"], 0, ""),
    (["postcat"], 1, "usage: postcat"),
    (["postcat", "-q", "NOSUCH"], 1, "No such file or directory"),
    (["postcat", "-q", "../x"], 1, "bad mail queue ID: ../x"),
    (["newaliases"], 0, ""),
]


def test_exit_statuses(engine: Running, capsys: Out) -> None:
    for command, status, text in STATUSES:
        assert main(command) == status, command
        assert text in capsys.readouterr().err, command


def test_postcat(ids: list[str], capsys: Out) -> None:
    def shown(*options: str) -> str:
        assert main(["postcat", *options, ids[0]]) == 0
        return capsys.readouterr().out

    header, body, envelope = shown("-h"), shown("-b"), shown("-e")
    assert header.startswith("Received: from ")
    assert "\r" not in header
    assert body.startswith("\n"), "as by Postfix: the empty line belongs to it"
    assert shown("-bh") == header + body
    assert "sender: joe@example.com\n" in envelope
    assert "original_recipient: x0@far.example\nrecipient: x0@far.example\n" in envelope
    contents = f"*** MESSAGE CONTENTS deferred/{ids[0]} ***\n"
    before, _, after = envelope.partition(contents)
    assert before.startswith(f"*** ENVELOPE RECORDS deferred/{ids[0]} ***\nmessage_size: ")
    assert after == (
        f"*** HEADER EXTRACTED deferred/{ids[0]} ***\n*** MESSAGE FILE END deferred/{ids[0]} ***\n"
    )
    assert shown() == f"{before}{contents}{header}{body}{after}"


def test_without_an_engine_the_disk_tells(engine: Running, ids: list[str], capsys: Out) -> None:
    assert ask_socket(engine.home.path / "run/engine.sock", {"command": "flush", "ids": []}) == {
        "ok": True,
        "scheduled": 0,
    }
    engine.kill()
    assert main(["postqueue", "-i", "NOSUCH"]) == os.EX_UNAVAILABLE
    assert list(states(capsys)) == ids
    assert main(["mailq"]) == 0
    warning = "postqueue: warning: Mail system is down -- accessing queue directly ("
    assert capsys.readouterr().err.startswith(warning)
    writer = Writer(engine.home.path / "drop")
    writer.write(b"Subject: x\n\ny\n")
    somebody = Address("ann", "far.example")
    writer.finish(
        Slip(
            sender=Address("joe", ""), recipients=(Recipient(address=somebody, original=somebody),)
        )
    )
    (engine.home.path / "drop" / f"{'0' * 32}.mail").write_text("damaged")
    assert states(capsys) == {writer.name: "maildrop", **dict.fromkeys(ids, "deferred")}
    assert main(["mailq"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[1].startswith(f"{writer.name}        14 ")
    assert shown[1].endswith("  joe")
    assert shown[2].strip() == "ann@far.example"
    assert main(["postcat", "-e", ids[2]]) == 0
    assert "recipient: x2@far.example" in capsys.readouterr().out
    assert main(["postqueue", "-f"]) == os.EX_UNAVAILABLE
    assert "mail system is down" in capsys.readouterr().err
    assert main(["postsuper", "-d", "ALL"]) == 1


def test_a_closed_home_is_not_taken_for_an_engine_that_is_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    def closed(path: Path, request: object, *, timeout_s: float) -> None:
        assert timeout_s >= 600, "long queues take their time"
        # as for a user whom WAYPOST_HOME does not let through; root is let through everywhere
        raise ControlError(f"no engine answers on {path}") from PermissionError(13, "no")

    monkeypatch.setenv("WAYPOST_HOME", str(tmp_path))
    monkeypatch.setattr("delivery.tools.queue.ask_socket", closed)
    for command in (["mailq"], ["postqueue", "-f"]):
        assert main(command) == os.EX_UNAVAILABLE
        said = capsys.readouterr().err
        assert f"Permission denied: {tmp_path} is closed to this user" in said
        assert "down" not in said


def test_any_user_may_list_and_flush_and_nothing_else(engine: Running, ids: list[str]) -> None:
    path = engine.home.path / "drop" / "queue.sock"
    assert path.stat().st_mode & 0o777 == 0o666
    assert len(ask_socket(path, {"command": "queue"})["messages"]) == 3
    assert ask_socket(path, {"command": "flush"})["scheduled"] == 3
    for command in ("remove", "hold", "status", "reload"):
        assert not ask_socket(path, {"command": command, "ids": None})["ok"]
    # who asks is what the system says, not what is asked
    engine.home.publish(
        values={"authorized_mailq_users": "nobody-else", "defer_transports": "smtp"}
    )
    assert main(["reload"]) == 0
    refused = ask_socket(path, {"command": "queue", "caller": "nobody-else"})
    assert refused == {"ok": False, "error": refused["error"]}
    assert "authorized_mailq_users does not name the user" in refused["error"]


def test_the_control_socket_wants_clear_words(engine: Running, ids: list[str]) -> None:
    for request in (
        {"command": "remove"},
        {"command": "remove", "ids": "ALL"},
        {"command": "remove", "ids": ["x"]},
        {"command": "hold", "ids": None, "states": ["nowhere"]},
        {"command": "queue", "recipients": 10**9},
    ):
        assert not engine.ask(**request)["ok"], request  # type: ignore[arg-type]
    assert engine.ask("status")["queue"]["deferred"] == 3
