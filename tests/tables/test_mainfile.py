"""main.cf as a file."""

from __future__ import annotations

import pytest

from tables.errors import EntryError
from tables.mainfile import FileProblem, parse_main, print_main

MAIN = """\
# a remark
myhostname = mx.example.com
mydestination = $myhostname,
    # a remark in between
    localhost.$mydomain,

\tlocalhost
smtpd_relay_restrictions =
banner=a = b
"""


def values(text: str) -> dict[str, str]:
    return {name: setting.value for name, setting in parse_main(text).settings.items()}


def test_it_works() -> None:
    assert values(MAIN) == {
        "myhostname": "mx.example.com",
        "mydestination": "$myhostname, localhost.$mydomain, localhost",
        "smtpd_relay_restrictions": "",
        "banner": "a = b",
    }
    assert parse_main(MAIN).settings["mydestination"].line == 3
    assert parse_main(MAIN).problems == ()


def test_of_two_values_the_last_one_counts() -> None:
    found = parse_main("a = 1\nb = 2\na = 3\n")
    assert {name: setting.value for name, setting in found.settings.items()} == {"a": "3", "b": "2"}
    assert found.problems == (
        FileProblem(1, "a is set again in line 3: this value does not count."),
    )


@pytest.mark.parametrize("line", ["myhostname", "= 5", "my host = x", "größe = 5"])
def test_a_line_that_is_no_setting_is_a_problem(line: str) -> None:
    found = parse_main(f"a = 1\n{line}\nb = 2\n")
    assert list(found.settings) == ["a", "b"]
    assert [problem.line for problem in found.problems] == [2]


def test_a_continuation_without_a_beginning_is_left_out() -> None:
    assert values("  x = 1\na = 2\n") == {"a": "2"}


@pytest.mark.parametrize(
    "value",
    [
        "",
        "short",
        "one, two",
        ", ".join(f"check_client_access hash:table{n}" for n in range(9)),
        "inline:{ {a = b, c}, {d = e} }, " + "x" * 100,
        "no blank,after the comma " * 8 + "end",
    ],
)
def test_what_was_printed_reads_the_same(value: str) -> None:
    assert values(print_main({"name": value, "other": "1"})) == {"name": value, "other": "1"}


@pytest.mark.parametrize(
    "parameters", [{"a b": "c"}, {"": "c"}, {"a": "b\nc = d"}, {"a": "b\x00"}, {"a": "b\rc"}]
)
def test_it_refuses_to_print_what_would_read_otherwise(parameters: dict[str, str]) -> None:
    with pytest.raises(EntryError):
        print_main(parameters)
