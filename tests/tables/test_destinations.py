"""What a line of an alias, a .forward or an :include: file names."""

from __future__ import annotations

import random

import pytest

from tables.addresses import NULL, Address
from tables.destinations import (
    Kind,
    parse_alias_destinations,
    read_destinations,
    read_file,
    read_relay,
)
from tables.errors import EntryError


def read(text: str) -> list[tuple[str, str]]:
    return [(item.kind.name, item.text) for item in read_destinations(text)]


def test_it_works() -> None:
    assert read("joe, a@b.example, |/bin/x, /box, ~/box, :include:/list") == [
        ("ADDRESS", "joe"),
        ("ADDRESS", "a@b.example"),
        ("COMMAND", "/bin/x"),
        ("FILE", "/box"),
        ("HOME_FILE", "~/box"),
        ("INCLUDE", "/list"),
    ]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", []),
        (" , ,", []),
        ("|/bin/x y", [("COMMAND", "/bin/x"), ("ADDRESS", "y")]),
        ('"|/bin/x y \\"z\\""', [("COMMAND", '/bin/x y "z"')]),
        ('|"/bin/x y"', [("COMMAND", "/bin/x y")]),
        ('"/box of mail"', [("FILE", "/box of mail")]),
        ('":INCLUDE:/a b"', [("INCLUDE", "/a b")]),
        (":include:list", [("INCLUDE", "list")]),
        ("\\joe", [("ADDRESS", "joe")]),
        ("Joe <joe@x.example> (me)", [("ADDRESS", "joe@x.example")]),
        ("friends: a, b;", [("ADDRESS", "a"), ("ADDRESS", "b")]),
        ("error:no", [("ADDRESS", "error:no")]),
        ("a@-", [("BAD", "a@-")]),
        ('"open', [("BAD", '"open')]),
        ("a\tb", [("ADDRESS", "a"), ("ADDRESS", "b")]),
    ],
)
def test_forms(text: str, expected: list[tuple[str, str]]) -> None:
    assert read(text) == expected


def test_a_source_route_is_taken_off() -> None:
    [found] = read_destinations("@a.example,@b.example:z@c.example")[-1:]
    assert found.address == Address("z", "c.example")


def test_lines_that_count() -> None:
    assert list(read_file("# a\n\n  \n b\r\n#c\nd")) == [" b\r", "d"]


@pytest.mark.parametrize("seed", range(300))
def test_any_text_is_read(seed: int) -> None:
    source = random.Random(seed)
    text = "".join(source.choices('ab@.,|/~:;<>()[]"\\ \t\né\0', k=30))
    assert all(isinstance(item.kind, Kind) for item in read_destinations(text)), (seed, text)


def test_an_empty_address_is_one() -> None:
    for text in ('""', "<>", ' "" '):
        [found] = read_destinations(text)
        assert (found.kind, found.address) == (Kind.ADDRESS, NULL)
    assert read_destinations(" ") == ()


def test_a_domain_stays_as_it_is_written() -> None:
    [found] = read_destinations("JANE@Far.EXAMPLE")
    assert found.address == Address("JANE", "Far.EXAMPLE")


def test_a_relay_for_unknown_users_is_an_address() -> None:
    assert read_relay("joe@far.example, ann") == Address("joe", "far.example")
    assert read_relay("/var/unknown") == Address("/var/unknown", "")
    assert read_relay("|cmd") == Address("|cmd", "")
    assert read_relay("joe@") is None
    assert read_relay("") is None


def test_it_reads_alias_destinations() -> None:  # aliases(5)
    text = "joe, jane@x.test, \"|/bin/cmd 'a b'\", /var/mail/x, :include:/etc/list, |run, \\root"
    found = parse_alias_destinations(text)
    assert [(each.kind, each.text) for each in found] == [
        (Kind.ADDRESS, "joe"),
        (Kind.ADDRESS, "jane@x.test"),
        (Kind.COMMAND, "/bin/cmd 'a b'"),
        (Kind.FILE, "/var/mail/x"),
        (Kind.INCLUDE, "/etc/list"),
        (Kind.COMMAND, "run"),
        (Kind.ADDRESS, "root"),
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no destination"),
        ("|", "a command must follow"),
        (":include:list", "full path"),
        ("@x.test", "no user name"),
        ("joe@x..test", "Two dots"),
        ("~/box", "no home directory"),
        ('""', "no destination"),
    ],
)
def test_it_rejects_alias_destinations(text: str, sentence: str) -> None:
    with pytest.raises(EntryError, match=sentence):
        parse_alias_destinations(text)


@pytest.mark.parametrize("text", ["\"|/bin/cmd 'a b'\"", "/box", ':include:"/a list"', "a@B.test"])
def test_destinations_are_written_as_they_are_read(text: str) -> None:
    [found] = parse_alias_destinations(text)
    assert found.written == text
