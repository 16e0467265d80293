"""Commands: what they get, what they say, and how they end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from delivery.courier.program import OUTPUT_LIMIT, command_lines
from delivery.courier.program import run as carry_out
from delivery.courier.wire import Answer, Run
from tests.delivery.courier.orders import HERE, LETTER, PREFIX, parts, run


def do(order: Run, *texts: bytes, waits: Callable[[], bool] = lambda: True) -> Answer:
    with parts(*texts) as opened:
        return carry_out(order, opened, HERE, waits)


def test_it_works(tmp_path: Path) -> None:
    answer = do(run(f"cat > {tmp_path}/out; echo $A; echo said >&2; exit 7", variables=("A=b c",)))
    assert (answer.exit_status, answer.output) == (7, "b c\nsaid\n")
    assert (tmp_path / "out").read_bytes() == PREFIX.encode() + LETTER.replace(b"\r\n", b"\n")


def test_success_is_status_0() -> None:
    answer = do(run(argv=("cat",)))
    assert (answer.dsn, answer.exit_status) == ("2.0.0", 0)


@pytest.mark.parametrize(
    "command, expected",
    [
        ("/bin/a -b c@d", [["/bin/a", "-b", "c@d"], ["/bin/sh", "-c", "/bin/a -b c@d"]]),
        ("a $b", [["/bin/sh", "-c", "a $b"]]),
        ("a 'b'", [["/bin/sh", "-c", "a 'b'"]]),
        ("a; b", [["/bin/sh", "-c", "a; b"]]),
        ("a\nb", [["/bin/sh", "-c", "a\nb"]]),
        ("  ", [["/bin/sh", "-c", "  "]]),
    ],
)
def test_a_shell_runs_only_what_a_shell_must(command: str, expected: list[list[str]]) -> None:
    assert list(command_lines(run(command))) == expected


def test_the_administrators_shell_gets_the_whole_line() -> None:
    [line] = command_lines(run("a $b", shell="/usr/bin/smrsh -c"))
    assert line == ["/usr/bin/smrsh", "-c", "a $b"]


def test_a_builtin_of_the_shell_is_found() -> None:
    assert do(run("exit 3")).exit_status == 3


def test_arguments_are_never_looked_at() -> None:
    answer = do(run(argv=("printf", "%s|", "a b", "$HOME", "`id`", ";", "")))
    assert answer.output == "a b|$HOME|`id`|;||"


def test_the_environment_is_what_was_ordered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "s")
    monkeypatch.setenv("TZ", "UTC")
    order = run(argv=("env",), exported=("TZ", "NONE", "LANG=C"), variables=("USER=joe", "X="))
    found = dict(line.split("=", 1) for line in do(order).output.splitlines())
    assert found == {
        "PATH": "/usr/bin:/bin", "TZ": "UTC", "LANG": "C", "USER": "joe", "X": "",
    }  # fmt: skip


@pytest.mark.parametrize("order", [run("/no/such/program"), run(argv=("no-such-program",))])
def test_what_cannot_be_started_means_later(order: Run) -> None:
    answer = do(order)
    assert (answer.dsn, answer.exit_status) == ("4.3.0", 75)
    assert answer.output.endswith("No such file or directory")


def test_a_directory_that_is_not_there_means_later() -> None:
    answer = do(replace(run("pwd; true"), directory="/no/such"))
    assert (answer.exit_status, answer.output) == (
        75,
        "cannot run /no/such: No such file or directory",
    )


def test_output_has_an_end() -> None:
    answer = do(run("yes | head -c 1000000; exit 1"))
    assert (answer.exit_status, len(answer.output)) == (1, OUTPUT_LIMIT)


def test_a_command_need_not_read_its_input() -> None:
    assert do(run("exit 0"), b"x" * 3_000_000).is_done
    assert do(run("head -c 10 > /dev/null"), b"x" * 3_000_000).is_done


def test_a_command_gets_all_of_a_large_message(tmp_path: Path) -> None:
    assert do(run(f"cat > {tmp_path}/out; true"), b"x\r\n" * 1_000_000).is_done
    assert (tmp_path / "out").stat().st_size == len(PREFIX) + 2_000_000


def test_what_takes_too_long_is_stopped_with_all_it_started(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    started = time.monotonic()
    answer = do(run(f"sleep 60 & echo $! > {pid}; echo begun; wait", seconds=1.0))
    assert (answer.timed_out, answer.is_done, answer.output) == (True, False, "begun\n")
    assert time.monotonic() - started < 20
    assert is_gone(int(pid.read_text()))


def test_a_command_that_nobody_waits_for_is_stopped(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    answer = do(run(f"echo $$ > {pid}; exec sleep 60"), waits=lambda: not pid.exists())
    assert answer.timed_out
    assert is_gone(int(pid.read_text() or 0))


def is_gone(pid: int) -> bool:
    for _ in range(100):
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False


def test_a_signal_is_told() -> None:
    answer = do(run("kill -TERM $$"))
    assert (answer.signal, answer.exit_status) == (15, -1)


def test_a_job_left_behind_is_not_waited_for() -> None:
    started = time.monotonic()
    answer = do(run("sleep 30 & exit 0"))
    assert answer.is_done
    assert time.monotonic() - started < 20
