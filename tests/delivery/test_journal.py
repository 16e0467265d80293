"""The engine's journal."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from delivery import journal
from delivery.journal import Journal

NOON = 1_800_000_000.0  # 2027-01-15 08:00 UTC
DAY = 86_400.0


class Clock:
    """A time that the test sets."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


def events(directory: Path) -> list[dict[str, Any]]:
    found = []
    for path in sorted(directory.glob("*.jsonl")):
        found += [json.loads(line) for line in path.read_bytes().splitlines()]
    return found


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.glob("*.jsonl"))


def test_it_works(tmp_path: Path) -> None:
    kept = Journal(tmp_path / "journal", clock=Clock())
    kept.write("accepted", queue_id="4c9", sender="", recipients=2, note=None, flag=False)
    kept.close()
    assert events(tmp_path / "journal") == [
        {"time": NOON, "event": "accepted", "queue_id": "4c9", "recipients": 2, "flag": False}
    ]
    [path] = (tmp_path / "journal").iterdir()
    assert path.name == "2027-01-15-000001.jsonl"
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_event_may_be_older_than_its_line(tmp_path: Path) -> None:
    kept = Journal(tmp_path, clock=Clock())
    kept.write("accepted", NOON - 5)
    kept.close()
    assert events(tmp_path) == [{"time": NOON - 5, "event": "accepted"}]


def test_it_keeps_an_outsider_within_bounds(tmp_path: Path) -> None:
    kept = Journal(tmp_path)
    kept.write("rejected", helo="x" * 5000 + "\n", key="a\nb\udcff")
    kept.close()
    [event] = events(tmp_path)
    assert len(event["helo"]) == journal.VALUE_LIMIT
    assert event["key"] == "a\nb\udcff"


def test_a_file_ends_when_it_is_large(tmp_path: Path) -> None:
    for round_ in range(3):  # each time as after a restart: a file of its own
        kept = Journal(tmp_path, clock=Clock(), file_bytes=1)
        kept.write("accepted", n=round_)
        kept.close()
    assert names(tmp_path) == [f"2027-01-15-{number:06}.jsonl" for number in (1, 2, 3)]
    assert [event["n"] for event in events(tmp_path)] == [0, 1, 2]


def test_names_grow_even_when_the_clock_is_set_back(tmp_path: Path) -> None:
    clock = Clock()
    for moment in (NOON, NOON + DAY, NOON - 3 * DAY):
        clock.now = moment
        kept = Journal(tmp_path, clock=clock)
        kept.write("accepted", n=moment)
        kept.close()
    assert names(tmp_path) == [
        "2027-01-15-000001.jsonl",
        "2027-01-16-000001.jsonl",
        "2027-01-16-000002.jsonl",
    ]
    assert [event["n"] for event in events(tmp_path)] == [NOON, NOON + DAY, NOON - 3 * DAY]


def test_strange_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "2027-01-15-backup.jsonl").write_text("")
    (tmp_path / "notes.txt").write_text("mine")
    kept = Journal(tmp_path, clock=Clock())
    kept.write("accepted")
    kept.close()
    assert (tmp_path / "2027-01-15-000001.jsonl").exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_the_oldest_go(tmp_path: Path) -> None:
    for number in range(1, journal.KEPT_FILES + 6):
        (tmp_path / f"2027-01-14-{number:06}.jsonl").write_text("")
    kept = Journal(tmp_path, clock=Clock())
    kept.write("accepted")
    kept.close()
    assert len(names(tmp_path)) == journal.KEPT_FILES
    assert names(tmp_path)[-1] == "2027-01-15-000001.jsonl"


def test_it_says_what_is_lost_and_goes_on(tmp_path: Path) -> None:
    troubles: list[str] = []
    directory = tmp_path / "journal"
    kept = Journal(directory, clock=Clock(), on_trouble=troubles.append)
    directory.rmdir()
    kept._take([(NOON, "accepted", {"n": 1})], 0)  # the thread's own step, without the thread
    kept._take([(NOON, "accepted", {"n": 2})], 3)
    directory.mkdir()
    kept._take([(NOON, "accepted", {"n": 3})], 0)
    kept.close()
    assert len(troubles) == 1
    assert "journal" in troubles[0]
    assert [(event["event"], event.get("count")) for event in events(directory)] == [
        ("journal_lines_dropped", 5),
        ("accepted", None),
    ]


FULL = """
import resource, signal, sys
from pathlib import Path
from delivery.journal import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
kept = Journal(Path(sys.argv[1]), on_trouble=print)
kept._take([(1.0, "accepted", {"n": number}) for number in range(100)], 0)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
kept._take([(2.0, "accepted", {"n": 100})], 0)
kept.close()
"""


def test_a_file_never_holds_half_a_line(tmp_path: Path) -> None:
    """The disk is full in the middle of a line: a limit of the file's size does the same."""
    ran = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)],
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "File too large" in ran.stdout
    first, second = (tmp_path / name for name in names(tmp_path))
    numbers = [json.loads(line)["n"] for line in first.read_bytes().splitlines()]
    assert numbers == list(range(len(numbers)))
    assert 900 < first.stat().st_size <= 1000
    assert [json.loads(line)["event"] for line in second.read_bytes().splitlines()] == [
        "journal_lines_dropped",
        "accepted",
    ]


@pytest.fixture(autouse=True)
def _limits_stay() -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
