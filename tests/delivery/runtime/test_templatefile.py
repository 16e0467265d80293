"""The file with the words of reports: read when it is new, and never in the way of mail."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from delivery.addressees import ReportKind
from delivery.config import Config
from delivery.runtime.generations import Generations
from delivery.runtime.templatefile import TemplateFile
from delivery.templates import TEXT_LIMIT, built_in
from tables.parameters import Parameters
from tests.delivery.runtime.asynchronous import asynchronous
from tests.wire.engine import Home


def of(path: Path | str) -> tuple[TemplateFile, Parameters]:
    parameters = Parameters({"bounce_template_file": str(path), "myhostname": "mx.test.example"})
    return TemplateFile(parameters), parameters


def write(path: Path, text: bytes) -> None:
    """As editors do it."""
    part = path.with_suffix(".part")
    part.write_bytes(text)
    part.rename(path)


def test_a_changed_file_is_read_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bounce.cf"
    write(path, b"failure_template = one\n")
    file, _ = of(path)
    first = file.templates()
    assert first[ReportKind.FAILURE].text == ("one",)
    assert file.templates() is first
    write(path, b"failure_template = <<E\nCharset: iso-8859-1\n\n\xe9\nE\n")
    second = file.templates()[ReportKind.FAILURE]
    assert (second.octets, second.is_eightbit) == (b"\xe9\r\n", True)
    assert capsys.readouterr().out == ""
    path.unlink()
    assert file.templates()[ReportKind.FAILURE] is second, "until there is another one"
    assert file.templates()[ReportKind.FAILURE] is second
    said = capsys.readouterr().out
    assert said.count("bounce_template_file: ") == 1
    assert "No such file" in said


def test_without_a_file_the_words_are_ours(capsys: pytest.CaptureFixture[str]) -> None:
    file, parameters = of("")
    assert file.templates() == built_in(parameters)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("kind", ["missing", "directory", "fifo", "long", "no name"])
def test_what_cannot_be_read_is_told(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bounce.cf"
    match kind:
        case "directory":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "long":
            path.write_bytes(b"failure_template = one\n" + b"#" * TEXT_LIMIT)
        case "no name":
            path = tmp_path / "\0"
    file, parameters = of(path)
    assert file.templates() == built_in(parameters)
    assert capsys.readouterr().out.count("bounce problem=") == 1


@asynchronous
async def test_the_engine_says_once_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every process makes a generation ready; the one that writes the reports reads the file."""
    path = tmp_path / "bounce.cf"
    path.write_text("failure_template = $nosuch\n")
    home = Home(tmp_path)
    home.publish(values={"bounce_template_file": str(path)})
    for is_told in (True, False):
        generations = Generations(home.store.root, Config(home=tmp_path), is_told=is_told)
        assert await generations.poll()
        assert generations.rules is not None
        said = capsys.readouterr().out
        assert said.count("There is no parameter nosuch.") == is_told
        words = generations.rules.words.templates()[ReportKind.FAILURE]
        assert words.subject == "Undelivered Mail Returned to Sender"
