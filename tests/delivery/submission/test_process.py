"""sendmail(1) as a process: closed streams, signals, what cannot be written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from delivery.submission import drop
from delivery.submission.drop import Drop
from tests.wire.polling import eventually

COMMAND = f"exec {sys.executable} -m delivery sendmail"


@pytest.fixture(name="directory")
def _directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WAYPOST_HOME", str(tmp_path))
    drop.make_drop(tmp_path / "drop")
    return tmp_path / "drop"


def shell(line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", line], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "line",
    ["joe <&-", "-v joe >&-", "joe 2>&-", "joe <&- >&- 2>&-", "-v joe >/dev/full", "-v joe | true"],
)
def test_a_message_that_was_taken_is_not_refused(directory: Path, line: str) -> None:
    ran = shell(f"{COMMAND} {line}")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert len(Drop(directory).names()) == 1


@pytest.mark.parametrize("is_full", [True, False])
def test_nobody_to_complain_to(directory: Path, is_full: bool) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open("/dev/full" if is_full else os.dup(writer), "wb") as sink:
        os.close(writer)

        def status(*words: str) -> int:
            command = [sys.executable, "-m", "delivery", *words]
            return subprocess.run(
                command, stdin=subprocess.DEVNULL, stderr=sink, check=False
            ).returncode

        assert status("sendmail", "-Z", "joe") == os.EX_TEMPFAIL
        assert status("postqueue", "-Z") == os.EX_UNAVAILABLE
        assert Drop(directory).names() == []
        assert status("sendmail", "-N", "bogus", "joe") == 0
    assert len(Drop(directory).names()) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_in_the_middle_leaves_nothing(directory: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "delivery", "sendmail", "joe"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as sender:
        assert sender.stdin is not None
        assert sender.stdout is not None
        sender.stdin.write(b"Subject: half\n\n")
        sender.stdin.flush()
        eventually(lambda: list(directory.glob("*.part")))
        sender.send_signal(number)
        assert sender.wait(30) == 128 + number
        assert sender.stdout.read() == b""
    assert [item.name for item in directory.iterdir()] == ["wake"]
