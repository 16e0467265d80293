"""python -m delivery postmap: as the real one answers, over files and over a generation."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from delivery.postmap import message_keys, run
from tables.formats.cdb import CdbBuilder
from tables.writing.store import Store
from tests.tables.writing.generations import publish

ROOT = Path(__file__).resolve().parents[2]
TEXT = 'Joe@Example.com  joe\n"c d" quoted\nx  one two\n# comment\n  more\n'
PATTERNS = "/^(jo.)@/ found $1\n!/[a-z]/ no letter\n"
NETWORKS = "192.0.2.0/24 inside\n2001:db8::/32 inside6\n"
ENTRIES = {"joe@example.com": "joe", "x": "one two", "ü": "ö"}
KEYS = "JOE@example.com\njoe@example.com\nx\nnone\n\nü\n192.0.2.9\n7\nc d\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A WAYPOST_HOME with one generation, and files beside it."""
    monkeypatch.setenv("WAYPOST_HOME", str(tmp_path))
    publish(
        Store(tmp_path / "maps"),
        1,
        {"virtual": ENTRIES},
        {},
        {"patterns": ("regexp", PATTERNS), "networks": ("cidr", NETWORKS)},
    )
    (tmp_path / "text").write_text(TEXT)
    (tmp_path / "patterns").write_text(PATTERNS)
    (tmp_path / "networks").write_text(NETWORKS)
    with CdbBuilder(tmp_path / "map.cdb") as builder:
        for key, value in ENTRIES.items():
            builder.add(key, value)
        builder.finish()
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/main.cf").write_text("compatibility_level = 3.6\n")
    (tmp_path / "conf/master.cf").touch()
    return tmp_path


def ask(*argv: str, said: str = "") -> tuple[int, str]:
    """(exit status, output) of one command."""
    target = io.StringIO()
    return run(argv, io.StringIO(said), target), target.getvalue()


def test_it_works() -> None:
    assert ask("-q", "Joe@example.com", "hash:virtual") == (0, "joe\n")


def test_what_is_not_there_is_one() -> None:
    assert ask("-q", "nobody", "hash:virtual") == (1, "")
    assert ask("-q", "-", "hash:virtual", said="nobody\n") == (1, "")


def test_keys_from_standard_input(home: Path) -> None:
    said = "JOE@example.com\nnobody\nx"
    assert ask("-q", "-", "hash:virtual", said=said) == (0, "JOE@example.com\tjoe\nx\tone two\n")


def test_tables_are_asked_in_order() -> None:
    assert ask("-q", "x", "regexp:patterns", "cdb:virtual", "static:end") == (0, "one two\n")
    assert ask("-q", "y", "regexp:patterns", "virtual", "static:end") == (0, "end\n")


def test_it_lists_a_table() -> None:
    status, said = ask("-s", "hash:virtual")
    assert status == 0
    assert sorted(said.splitlines()) == ["joe@example.com\tjoe", "x\tone two", "ü\tö"]


def test_a_long_answer_is_whole() -> None:
    said = "".join(f"{number}\n" for number in range(10_000))
    status, answer = ask("-q", "-", "static:x", said=said)
    assert status == 0
    assert answer == "".join(f"{number}\tx\n" for number in range(10_000))


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("-q", "x"), "usage: postmap"),
        (("hash:virtual",), "usage: postmap"),
        (("-q", "x", "-s", "hash:virtual"), "only one of"),
        (("-Z", "hash:virtual"), "-Z not recognized"),
        (("-d", "x", "hash:virtual"), "in the panel"),
        (("-q", "x", "hash:nothing"), "there is no table nothing in generation 1"),
        (("-q", "x", "regexp:virtual"), "virtual is a table of the type hash"),
        (("-q", "x", "nosuch:virtual"), "unsupported dictionary type: nosuch"),
        (("-q", "x", "texthash:/no/such/file"), "/no/such/file: No such file"),
        (("-q", "x", "cdb:/no/such/file"), "file.cdb: No such file"),
        (("-q", "x", "fail:broken"), "fail:broken"),
        (("-s", "static:x"), "sequence operation is not supported"),
        (("-h", "-q", "x", "static:x"), 'only with "-q -"'),
    ],
)
def test_it_says_what_is_wrong(
    argv: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(*argv) == (1, "")
    assert message in capsys.readouterr().err


def test_bad_lines_are_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "bad").write_text("/(/ x\n/ok/ y\n")
    assert ask("-q", "ok", f"regexp:{home}/bad") == (0, "y\n")
    assert "line 1" in capsys.readouterr().err


def test_without_a_generation(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(home / "maps")
    assert ask("-q", "joe@example.com", f"texthash:{home}/text") == (0, "joe\n")
    assert ask("-q", "x", "hash:virtual")[0] == 1
    assert "no generation" in capsys.readouterr().err


MESSAGE = "Subject: a\n b\nX-Y : c\n\nhello\n\nworld\n"


@pytest.mark.parametrize(
    ("message", "headers", "body"),
    [
        (MESSAGE, ["Subject: a\n b", "X-Y : c"], ["hello", "", "world"]),
        ("A: b\nno header\nA: c\n", ["A: b"], ["no header", "A: c"]),
        ("A: b", ["A: b"], []),
        ("\nbody\n", [], ["body"]),
        ("", [], []),
    ],
)
def test_a_message_gives_keys(message: str, headers: list[str], body: list[str]) -> None:
    lines = message.splitlines()
    assert list(message_keys(lines, headers=True, body=False)) == headers
    assert list(message_keys(lines, headers=False, body=True)) == body
    assert list(message_keys(lines, headers=True, body=True)) == headers + body


@pytest.mark.skipif(shutil.which("postmap") is None, reason="needs the package postfix")
@pytest.mark.parametrize(
    "arguments",
    [
        "-q - texthash:{home}/text",
        "-q - cdb:{home}/map",
        "-q - regexp:{home}/patterns",
        "-q - cidr:{home}/networks",
        "-q - cdb:{home}/map regexp:{home}/patterns",
        "-q JOE@Example.COM cdb:{home}/map",
        "-fq JOE@Example.COM cdb:{home}/map",
        "-q none texthash:{home}/text",
        "-q - static:x",
        "-q x inline:{{x=y}}",
        "-q x texthash:{home}/nothing",
        "-q x",
        "-s texthash:{home}/text",
        "-s regexp:{home}/patterns",
    ],
)
def test_it_answers_as_postfix_does(home: Path, arguments: str) -> None:
    """Both programs, as they are started; a list may come in another order."""
    words = arguments.format(home=home).split()
    ours, theirs = (
        subprocess.run(
            [*command, *words],
            input=KEYS.encode(),
            capture_output=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for command in (
            (sys.executable, "-m", "delivery", "postmap"),
            (shutil.which("postmap") or "", "-c", str(home / "conf")),
        )
    )
    assert (ours.returncode, sorted(ours.stdout.splitlines())) == (
        theirs.returncode,
        sorted(theirs.stdout.splitlines()),
    ), ours.stderr + theirs.stderr
    assert (b"fatal" in ours.stderr) == (b"fatal" in theirs.stderr)
