"""Logical lines of source text: continuation, comments, numbers."""

from __future__ import annotations

from tables.formats.lines import logical_lines


def lines(text: str) -> list[tuple[int, str]]:
    return list(logical_lines(text))


def test_it_works() -> None:
    assert lines("a b\nc d\n") == [(1, "a b"), (2, "c d")]


def test_a_line_with_leading_blanks_continues_the_one_before() -> None:
    assert lines("a b\n  c\n\td\ne f") == [(1, "a b  c\td"), (4, "e f")]


def test_comments_and_empty_lines_do_not_end_a_line() -> None:
    assert lines("# x\na b\n\n# y\n  # z\n  c\nd") == [(2, "a b  c"), (7, "d")]


def test_a_continuation_of_nothing_is_skipped() -> None:
    assert lines("  a\n b\nc d\n") == [(3, "c d")]


def test_only_ascii_blanks_are_blanks() -> None:
    assert lines("\xa0a b\r\n") == [(1, "\xa0a b\r")]
    assert lines("a\u2028b\n") == [(1, "a\u2028b")]


def test_nothing_is_nothing() -> None:
    assert lines("") == lines("\n \n#\n") == []
