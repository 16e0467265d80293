"""What becomes of headers; the checks and the rewriting have tests of their own."""

from __future__ import annotations

import pytest

from tests.delivery.content.mail import RECEIVED, begin, incoming, lines, run, tables


def test_long_headers_are_cut() -> None:
    rules = incoming(tables(t="/^X-Y/ IGNORE\n"), header_checks="pcre:t", header_size_limit="50")
    folded = lines("A: " + "x" * 43 + "\n yyy\n zzz\n\n")
    assert run(begin(rules), folded)[0] == lines("A: " + "x" * 43 + "\n\n")  # between lines
    assert run(begin(rules), lines("A: b\n " + "y" * 90 + "\n\n"))[0] == lines(
        "A: b\n " + "y" * 44 + "\n\n"
    )


def test_what_it_says_about_eight_bits() -> None:
    _, cleaned = run(begin(incoming()), lines("Content-Transfer-Encoding: 8BIT\n\n\xe9\n"))
    assert (cleaned.says_8bit, cleaned.has_utf8_headers) == (True, False)
    _, cleaned = run(begin(incoming()), lines("Subject: \xe9\n\n"))
    assert (cleaned.says_8bit, cleaned.has_utf8_headers) == (False, True)
    rules = incoming(detect_8bit_encoding_header="no")
    assert not run(begin(rules), b"Content-Transfer-Encoding: 8bit\r\n\r\n")[1].says_8bit


def test_header_names_are_not_remembered_for_ever() -> None:
    rules = incoming()
    for start in range(0, 6000, 500):
        header = "".join(f"X-{number}: 1\n" for number in range(start, start + 500))
        assert run(begin(rules), lines(f"{header}\n"))[0] == lines(f"{header}\n")
    (treatment,) = rules._treatments.values()
    weights = treatment.weights
    assert len(weights.known) <= 2000
    assert len(weights.idle) <= 2000


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_a_message_that_goes_in_circles_is_refused(size: int) -> None:
    """hopcount_limit; our own Received counts, one in the body or in a part does not."""
    rules = incoming(hopcount_limit="3")
    once = b"Received: from a\r\n\tby b\r\n"
    for hops, is_refused in ((1, False), (2, True)):
        cleaner = begin(rules, prologue=RECEIVED)
        _, cleaned = run(cleaner, once * hops + b"\r\n" + once, size)
        assert (cleaned.refusal is not None) is is_refused
    assert cleaned.refusal is not None
    assert str(cleaned.refusal) == "554 5.4.0 Error: too many hops"
