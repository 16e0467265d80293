"""How much one delivery counts for; postconf(5), SCHEDULER_README."""

from __future__ import annotations

import pytest

from delivery.spool.feedback import parse_feedback


@pytest.mark.parametrize(
    ("text", "window", "expected"),
    [
        ("1", 7.0, 1.0),
        ("0.25", 7.0, 0.25),
        ("1/8", 2.0, 0.125),
        (" 1 / 8 ", 2.0, 0.125),
        ("1/concurrency", 4.0, 0.25),
        ("1 / sqrt_concurrency", 4.0, 0.5),
        ("0.5/concurrency", 0.0, 0.5),
        ("0", 3.0, 0.0),
    ],
)
def test_a_feedback_is_a_number_or_a_share(text: str, window: float, expected: float) -> None:
    assert parse_feedback(text).of(window) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text", ["", "much", "2", "-0.1", "1/", "1/0", "1/-2", "1/many", "nan", "1/nan", "inf"]
)
def test_what_is_no_feedback(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_feedback(text)
