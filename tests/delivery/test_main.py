"""python -m delivery, from the outside: arguments, exit statuses, words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery import __version__
from delivery.__main__ import AS_POSTFIX, main
from tests.wire.engine import ROOT, Home, Running
from tests.wire.polling import eventually
from tests.wire.talk import mail


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    home = Home(tmp_path)
    home.publish(values={"defer_transports": "smtp"})
    monkeypatch.setenv("WAYPOST_HOME", str(tmp_path))
    with Running(home) as running:
        yield running


def test_it_works(engine: Running, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["version"], status["generation"]) == (__version__, 1)
    assert main(["mailq"]) == 0
    assert capsys.readouterr().out == "Mail queue is empty\n"
    engine.home.publish()
    assert main(["reload"]) == 0
    assert capsys.readouterr().out == "generation 2 is in force\n"


def test_the_queue(engine: Running, capsys: pytest.CaptureFixture[str]) -> None:
    ids = [mail(engine.port, "joe@example.com", f"x{n}@far.example") for n in range(3)]
    eventually(lambda: engine.ask("status")["queue"]["deferred"] == 3)
    assert main(["mailq", "--json"]) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [item["queue_id"] for item in listed] == ids
    assert main(["mailq"]) == 0
    assert "in 3 Requests.\n" in capsys.readouterr().out
    assert main(["flush", ids[2]]) == 0
    assert capsys.readouterr().out == "1 message will be tried now\n"
    assert main(["flush", ids[0], ids[1]]) == 0
    assert capsys.readouterr().out == "2 messages will be tried now\n"
    assert main(["flush", "--site", "far.example"]) == 0
    assert main(["flush", "nonsense"]) == os.EX_SOFTWARE
    assert "queue ids" in capsys.readouterr().err


def test_without_an_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WAYPOST_HOME", str(tmp_path))
    for command in ("status", "reload", "flush", "mailq"):
        assert main([command]) == os.EX_UNAVAILABLE
        assert "no engine answers" in capsys.readouterr().err


def test_a_bad_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WAYPOST_SMTP", "nowhere")
    assert main(["serve"]) == os.EX_CONFIG
    assert "WAYPOST_SMTP" in capsys.readouterr().err


@pytest.mark.parametrize("command", [[], ["serve"], ["status"], ["reload"], ["flush"]])
def test_everything_has_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    assert "usage: python -m delivery" in capsys.readouterr().out


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.publish()
    with Running(home):
        assert said_to_nobody("status", tmp_path) == (0, "")


@pytest.mark.parametrize("buffered", [True, False])
def test_a_reader_that_leaves_is_no_error_of_the_manual(tmp_path: Path, buffered: bool) -> None:
    how = {"PYTHONUNBUFFERED": "" if buffered else "1"}
    assert said_to_nobody("postmap --help", tmp_path, **how) == (0, "")


def said_to_nobody(command: str, home: Path, **environment: str) -> tuple[int, str]:
    """(status, standard error) of a command whose reader has gone before it writes."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ran = subprocess.run(
            [sys.executable, "-m", "delivery", *command.split()],
            cwd=ROOT,
            env={**os.environ, "WAYPOST_HOME": str(home), **environment},
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(writer)
    return ran.returncode, ran.stderr


def test_a_home_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WAYPOST_HOME", str(tmp_path / "file" / "home"))
    assert main(["serve"]) == os.EX_SOFTWARE
    assert "Not a directory" in capsys.readouterr().err


@pytest.mark.parametrize("command", sorted(AS_POSTFIX))
def test_postfix_commands_have_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: python -m delivery {command}")
