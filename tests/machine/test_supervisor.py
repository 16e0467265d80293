"""Programs are started, shown by line and name, started again, and stopped in order."""

from __future__ import annotations

import os
import signal
import sys

from tests.machine.rig import Rig, program, until

STEADY = "import signal; print('up'); signal.pause()"
TELLS_ITS_END = """
import signal, sys
def end(number, frame):
    print("leaving", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("up", flush=True)
while True:
    signal.pause()
"""
DEAF = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
while True:
    signal.pause()
"""


def test_it_works(rig: Rig) -> None:
    rig.run(
        program("server", TELLS_ITS_END, is_server=True),
        program("engine", TELLS_ITS_END),
    )
    until(lambda: rig.text.count("| up") == 2, "both are up")
    assert rig.facts["state"] == "running"
    rig.signal(signal.SIGTERM)
    assert rig.wait() == 0, rig.text
    assert "engine    | up" in rig.text, rig.text
    assert rig.text.index("engine    | leaving") < rig.text.index("server    | leaving")
    assert not (rig.run_folder / "serve.json").exists()


def test_it_starts_again_what_ended(rig: Rig) -> None:
    rig.run(program("engine", STEADY))
    first = rig.pid("engine")
    os.kill(first, signal.SIGKILL)
    second = until(
        lambda: [p for p in [rig.facts.get("pids", {}).get("engine")] if p and p != first],
        "a second engine",
    )[0]
    rig.seen.add(second)
    assert "engine ended by SIGKILL; starting it again in 1 s" in rig.text, rig.text


def test_it_says_the_status_of_what_ended(rig: Rig) -> None:
    rig.run(program("engine", "import sys; sys.exit(7)"))
    until(lambda: "engine ended with status 7" in rig.text, "the status is told")


def test_it_waits_longer_each_time(rig: Rig) -> None:
    rig.run(program("engine", "print('short')"))
    until(lambda: "starting it again in 2 s" in rig.text, "the second restart waits longer")
    assert "starting it again in 1 s" in rig.text, rig.text


def test_it_ends_what_does_not_listen(rig: Rig) -> None:
    rig.run(program("engine", DEAF, patience_s=0.2))
    until(lambda: "| up" in rig.text, "it is up")
    rig.signal(signal.SIGINT)
    assert rig.wait() == 0
    assert "engine is ended at once" in rig.text, rig.text


def test_it_stops_at_once_when_asked_twice(rig: Rig) -> None:
    rig.run(program("engine", DEAF, patience_s=3600.0))
    until(lambda: "| up" in rig.text, "it is up")
    rig.signal(signal.SIGINT)
    until(lambda: "| stopping" in rig.text, "the first request is heard")
    rig.signal(signal.SIGINT)
    assert rig.wait() == 0


def test_it_tells_why_a_server_did_not_start(rig: Rig) -> None:
    rig.run({"name": "server", "command": ["/nonexistent/server"], "is_server": True})
    assert rig.wait() == 1
    assert "server cannot be started" in rig.text, rig.text


def test_it_cuts_long_lines_and_shows_control_characters(rig: Rig) -> None:
    code = "import signal; print('x' * 40000 + '\\n\\x1b[2Jend'); signal.pause()"
    rig.run(program("engine", code))
    until(lambda: "end\n" in rig.text, "everything was shown")
    assert r"| \x1b[2Jend" in rig.text
    lines = [line for line in rig.text.splitlines() if "xxx" in line]
    assert len(lines) == 3, [len(line) for line in lines]
    assert sum(line.count("x") for line in lines) == 40000


def test_it_keeps_a_log_file_for_this_user_alone(rig: Rig) -> None:
    rig.run(program("engine", STEADY), program("setup", "print('secret')", kept=False))
    until(lambda: "| secret" in rig.text and "| up" in rig.text, "both have spoken")
    log = rig.folder / "log" / "engine.log"
    assert log.read_text().endswith("up\n")
    assert log.stat().st_mode & 0o777 == 0o600
    assert not (rig.folder / "log" / "setup.log").exists()


def test_it_uses_this_python(rig: Rig) -> None:
    rig.run(program("engine", "import sys, signal; print(sys.executable); signal.pause()"))
    until(lambda: f"| {sys.executable}" in rig.text, "the interpreter is told")
