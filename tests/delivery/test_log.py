"""The engine's log."""

from __future__ import annotations

import io

import pytest

from delivery import log


def written(**values: object) -> str:
    stream = io.StringIO()
    log.event("smtpd", stream, **values)
    return stream.getvalue()


def test_it_works() -> None:
    assert written(client="mx[192.0.2.1]", size=12) == "smtpd client=mx[192.0.2.1] size=12\n"


def test_it_leaves_out_what_is_empty() -> None:
    assert written(a=None, b="", c=0, d=False) == "smtpd c=0 d=False\n"


@pytest.mark.parametrize(
    "given, shown",
    [
        ("a b", '"a b"'),
        ('say "x"', '"say \\"x\\""'),
        ("k=v", '"k=v"'),
        ("a\\b c", '"a\\\\b c"'),
        ("line\r\nsmtpd forged=yes", '"line??smtpd forged=yes"'),
        ("\x1b[2J\x00\x7f", "?[2J??"),
        ("\udcff", "?"),
        ("\u202e", "?"),  # right-to-left override
        ("grüße", "grüße"),
    ],
)
def test_it_keeps_an_outsider_on_one_line(given: str, shown: str) -> None:
    assert written(text=given) == f"smtpd text={shown}\n"


def test_it_cuts_what_is_long() -> None:
    line = written(text="x" * 100_000)
    assert line == f"smtpd text={'x' * log.VALUE_LIMIT}...\n"


def test_it_escapes_what_a_stream_cannot_write() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    log.event("smtpd", stream, text="grüße")
    assert raw.getvalue() == b"smtpd text=gr\\xfc\\xdfe\n"


def test_in_the_background_everything_is_written_in_the_end() -> None:
    stream = io.StringIO()
    with log.background(stream):
        for number in range(3000):
            log.event("qmgr", n=number)
    assert stream.getvalue().splitlines() == [f"qmgr n={number}" for number in range(3000)]


def test_in_the_background_a_broken_stream_costs_lines_only(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Breaking(io.StringIO):
        broken = True

        def write(self, text: str) -> int:
            if self.broken:
                self.broken = False
                raise BrokenPipeError
            return super().write(text)

    stream = Breaking()
    with log.background(stream):
        log.event("a")
        log.event("b")
    with log.background(stream):
        log.event("c")
    assert stream.getvalue() == "c\n"
    log.event("direct")  # behind it, lines go to standard output again
    assert capsys.readouterr().out == "direct\n"
