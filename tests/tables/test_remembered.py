"""What is found once is not asked for again."""

from __future__ import annotations

import pytest

from tables.remembered import Remembered


def test_finds_once() -> None:
    asked: list[str] = []

    def find(key: str) -> str | None:
        asked.append(key)
        return None if key == "none" else key.upper()

    known = Remembered(find, 10)
    assert [known["a"], known["none"], known["a"], known["none"]] == ["A", None, "A", None]
    assert asked == ["a", "none"]


def test_forgets_all_beyond_its_limit() -> None:
    known = Remembered(str, 2)
    assert [known[1], known[2], known[3]] == ["1", "2", "3"]
    assert dict(known) == {3: "3"}


def test_keeps_what_was_found_in_another_way() -> None:
    known = Remembered(str, 2)
    known.keep(1, "one")
    assert [known[1], known[2]] == ["one", "2"]
    known.keep(3, "three")
    assert dict(known) == {3: "three"}


def test_does_not_remember_a_failure() -> None:
    answers = iter([OSError("not now"), "later"])

    def find(key: str) -> str:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    known = Remembered(find, 2)
    with pytest.raises(OSError, match="not now"):
        known["a"]
    assert known["a"] == "later"
