"""postqueue, postsuper, postcat: what they do, say and end with."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.__main__ import main
from delivery.runtime.control import ControlError
from delivery.runtime.control import ask as ask_socket
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
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{ids[0]}!  123 Mon ...\n\nNOSUCH\nbad-id\n"))
    assert main(["postsuper", "-d", "-", "deferred"]) == 0
    said = capsys.readouterr().err
    assert "warning: invalid mail queue id: bad-id\n" in said
    assert "Deleted: 0 messages" in said, "it is on hold"
    assert main(["postsuper", "-d", "ALL", "hold"]) == 0
    assert list(states(capsys)) == ids[1:]


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


STATUSES = [
    (["postsuper", "-x"], 1, "invalid option -- 'x'"),
    (["postsuper", "-d"], 1, "option requires an argument -- 'd'"),
    (["postsuper", "-d", "ALL", "bogus"], 1, "invalid directory name: bogus"),
    (["postsuper", "-s"], 0, ""),
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
    assert "sender: joe@example.com\nrecipient: x0@far.example\n" in envelope
    whole = shown()
    assert whole == (
        f"{envelope}*** MESSAGE CONTENTS deferred/{ids[0]} ***\n{header}\n{body}"
        f"*** MESSAGE FILE END deferred/{ids[0]} ***\n"
    )


def test_without_an_engine_the_disk_tells(engine: Running, ids: list[str], capsys: Out) -> None:
    engine.kill()
    assert list(states(capsys)) == ids
    assert main(["postcat", "-e", ids[2]]) == 0
    assert "recipient: x2@far.example" in capsys.readouterr().out
    assert main(["postqueue", "-f"]) == os.EX_UNAVAILABLE
    assert "mail system is down" in capsys.readouterr().err
    assert main(["postsuper", "-d", "ALL"]) == 1


def test_a_closed_home_is_not_taken_for_an_engine_that_is_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    def closed(path: Path, request: object) -> None:
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
