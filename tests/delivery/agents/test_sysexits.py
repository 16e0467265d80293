"""What the end of a command means."""

from __future__ import annotations

import pytest

from delivery.agents.sysexits import judge
from delivery.courier.wire import Answer


def ended(status: int, output: str = "") -> Answer:
    return Answer(dsn="5.3.0", exit_status=status, output=output)


def test_it_works() -> None:
    assert judge(ended(0, " queued\n"), "x") == ("2.0.0", "queued")


@pytest.mark.parametrize(
    "answer, expected",
    [
        (ended(67), ("5.1.1", "user unknown")),
        (ended(75, "later\n"), ("4.3.0", "temporary failure. Command output: later ")),
        (ended(1), ("5.3.0", 'Command died with status 1: "x y"')),
        (ended(127, "a\tb"), ("5.3.0", 'Command died with status 127: "x y". Command output: a b')),
        (ended(1, "4.2.2 mailbox full\n"), ("4.2.2", "mailbox full")),
        (ended(75, "5.7.1  no\x1b[0m"), ("5.7.1", "no_[0m")),
        (
            ended(1, "2.0.0 fine"),
            ("5.3.0", 'Command died with status 1: "x y". Command output: 2.0.0 fine'),
        ),
        (Answer(dsn="5.3.0", signal=9), ("4.3.0", 'Command died with signal 9: "x y"')),
        (
            Answer(dsn="5.3.0", signal=9, timed_out=True, output="so"),
            ("5.3.0", 'Command time limit exceeded: "x y". Command output: so'),
        ),
        (Answer(dsn="4.3.5", reason="unknown user"), ("4.3.5", "unknown user")),
    ],
)
def test_ends(answer: Answer, expected: tuple[str, str]) -> None:
    assert judge(answer, "x y") == expected
