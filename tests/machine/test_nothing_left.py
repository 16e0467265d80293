"""Whatever is killed with -9, no process outlives it."""

from __future__ import annotations

import os
import signal

import pytest

from tests.machine.rig import Rig, is_alive, program, until

STEADY = "import signal; print('up', flush=True); signal.pause()"
# A child of its own that ended its ties: another session, no pipe, deaf to SIGTERM.
LEAVES_A_CHILD = """
import os, signal, sys
pid = os.fork()
if pid == 0:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    while True:
        signal.pause()
print(f"grandchild={pid}", flush=True)
while True:
    signal.pause()
"""


@pytest.fixture
def running(rig: Rig) -> Rig:
    rig.run(
        program("server", STEADY, is_server=True),
        program("engine", STEADY),
        program("worker", LEAVES_A_CHILD),
    )
    until(lambda: rig.text.count("| up") == 2, "they are up")
    assert is_alive(rig.said_pid("grandchild"))
    assert len(rig.seen) == 6, rig.seen
    return rig


def test_it_works(running: Rig) -> None:
    running.signal(signal.SIGTERM)
    assert running.wait() == 0
    assert [pid for pid in running.seen if is_alive(pid)] == []


def test_the_guard_is_killed(running: Rig) -> None:
    os.kill(running.facts["guard"], signal.SIGKILL)
    running.wait()
    running.wait_until_gone()
    assert "stopping" in running.text


def test_the_supervisor_is_killed(running: Rig) -> None:
    os.kill(running.facts["pid"], signal.SIGKILL)
    assert running.wait() == 128 + signal.SIGKILL
    assert [pid for pid in running.seen if is_alive(pid)] == []


def test_both_are_killed(rig: Rig) -> None:
    rig.run(program("server", STEADY, is_server=True), program("engine", STEADY))
    until(lambda: rig.text.count("| up") == 2, "they are up")
    for name in ("guard", "pid"):
        os.kill(rig.facts[name], signal.SIGKILL)
    rig.wait_until_gone()


def test_a_program_is_killed_and_its_children_stay(rig: Rig) -> None:
    code = LEAVES_A_CHILD.replace("os.setsid()", "pass")  # as gunicorn's and celery's do
    rig.run(program("worker", code))
    orphan = rig.said_pid("grandchild")
    os.kill(rig.pid("worker"), signal.SIGKILL)
    until(lambda: not is_alive(orphan), "the orphan ended with its group")


def test_the_next_start_ends_what_was_left(rig: Rig) -> None:
    deaf = STEADY.replace("print", "signal.signal(signal.SIGTERM, signal.SIG_IGN); print")
    rig.run(program("engine", deaf, patience_s=0.1))
    until(lambda: "| up" in rig.text, "it is up")
    left = rig.pid("engine")
    for name in ("pid", "guard"):
        os.kill(rig.facts[name], signal.SIGKILL)
    rig.wait()
    assert is_alive(left)
    rig.output.write_text("")
    rig.run(program("engine", deaf, patience_s=0.1))
    assert f"ending engine (process {left}), left over from before" in rig.text, rig.text
    assert not is_alive(left)
