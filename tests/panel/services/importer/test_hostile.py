"""What a clumsy administrator has, and what a hostile one sends: told by line, never half done."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from panel.models import Entry, Parameter, RestrictionList, Service
from panel.services.importer import ImportProblem, import_directory
from panel.services.importer.report import TEXT_LENGTH, Level
from panel.services.importer.tree import LINE_LENGTH, MAIN_BYTES, source_lines
from tests.panel.services.importer.conftest import Import, said

MODERN = "compatibility_level = 3.6\nalias_maps =\n"


@pytest.mark.parametrize(
    ("main", "master", "expected"),
    [
        ("myorigin = a\0b\n", "", "main.cf:3: left out: There is a NUL character in the line."),
        ("my\0origin = a\n", "", "main.cf:3: left out: There is a NUL character in the line."),
        ("", "x unix - n n - - pipe argv=/x\0\n", "master.cf:1: left out: There is a NUL"),
        (f"{'a' * 200} = x\nmyorigin = ${'a' * 200}\n", "", f"main.cf:3: left out: {'a' * 200}"),
        ("", f"{'s' * 300} unix - - n - - smtp\n", f"master.cf:1: left out: {'s' * 300} unix: "),
        ("", f"s unix - n n - - pipe argv={'x' * 3000}\n", "master.cf:1: left out: s unix: "),
        ("", f"s unix - n n {'9' * 300} - smtp\n", "master.cf:1: left out: s unix: "),
        ("", f"s unix - n n - {'9' * 30} smtp\n", "master.cf:1: left out: This is no service: "),
        ("smtpd_restriction_classes = a/b, ok\nok = permit\n", "", "main.cf:3: left out: a/b can"),
        ("relocated_maps = hash:/etc/postfix/sub\n", "", "main.cf:3: left out: relocated_maps: /e"),
    ],
)
def test_what_no_row_can_hold_is_left_out(
    importing: Import, etc: Path, main: str, master: str, expected: str
) -> None:
    (etc / "sub").mkdir()
    report = importing(MODERN + main, {"master.cf": master} if master else None)
    assert any(text.startswith(expected) for text in said(report, Level.LEFT_OUT))
    assert Parameter.objects.get(name="compatibility_level").value == "3.6"
    assert not Service.objects.filter(enabled=True).exists()
    assert set(RestrictionList.objects.values_list("name", flat=True)) <= {"ok"}


def test_a_continuation_of_nothing_is_said(importing: Import) -> None:
    report = importing("  myorigin = a.example\nalias_maps =\ncompatibility_level = 3.6\n")
    assert said(report, Level.LEFT_OUT)[0].startswith("main.cf:1: left out: A line that begins")
    assert not Parameter.objects.filter(name="myorigin").exists()


def test_line_ends_and_marks_of_other_editors_do_no_harm(importing: Import) -> None:
    text = f"\ufeffmyorigin = a.example\n{MODERN}relocated_maps = hash:/etc/postfix/x\n"
    importing(text.replace("\n", "\r\n"), {"x": "a b\r\n"})
    assert Parameter.objects.get(name="myorigin").value == "a.example"
    assert Entry.objects.get(key="a").value == "b"


def test_files_that_name_themselves_end(importing: Import) -> None:
    again = "/etc/postfix/n " * 5
    report = importing(MODERN + "mynetworks = /etc/postfix/n\n", {"n": f"10.0.0.0/8 {again}\n"})
    assert Parameter.objects.get(name="mynetworks").value == "10.0.0.0/8"
    assert any("/etc/postfix/n names itself" in text for text in said(report, Level.LEFT_OUT))


def test_files_that_name_ever_more_files_end(importing: Import) -> None:
    files = {f"n{i}": f"/etc/postfix/n{i + 1} " * 2 + "\n" for i in range(30)}
    files["n30"] = "10.0.0.1\n"
    report = importing(MODERN + "mynetworks = /etc/postfix/n0\n", files)
    assert any("too many files are named" in text for text in said(report, Level.LEFT_OUT))


def test_a_copy_cannot_lead_to_files_of_this_machine(
    importing: Import, etc: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("joe hidden\n")
    (etc / "link").symlink_to(tmp_path / "secret")
    (etc / "here").write_text("amy shown\n")
    (etc / "inside").symlink_to("here")
    report = importing(
        MODERN + f"config_directory = {etc}\n"
        f"relocated_maps = texthash:{tmp_path}/secret texthash:/etc/postfix/link "
        "texthash:/etc/postfix/../../../secret texthash:/etc/postfix/inside\n"
        "mynetworks = /etc/postfix/link\n"
    )
    assert list(Entry.objects.values_list("key", flat=True)) == ["amy"]
    assert sum("is not there" in text for text in said(report, Level.LEFT_OUT)) == 4
    assert not Parameter.objects.filter(value__contains="hidden").exists()


def test_only_the_compiled_form_is_there(importing: Import, etc: Path) -> None:
    report = importing(MODERN + "relocated_maps = hash:/etc/postfix/x\n", {"x.db": "\0"})
    assert any("only what was compiled of it" in text for text in said(report, Level.LEFT_OUT))


def test_junk_is_left_out_and_nothing_of_it_reaches_a_terminal(
    importing: Import, etc: Path
) -> None:
    (etc / "junk").write_bytes(os.urandom(100_000) + b"\n\x1b]0;gotcha\x07 x\n\xff\x1b[2J y\n")
    report = importing(
        MODERN + "relocated_maps = " + " ".join(
            f"{kind}:/etc/postfix/junk" for kind in ("hash", "texthash", "regexp", "pcre", "cidr")
        ) + "\n"
    )  # fmt: skip
    text = "".join(report.as_text())
    assert text.isprintable()
    assert report.counts[Level.LEFT_OUT] > 100
    assert max(len(line.text) for line in report.lines) <= TEXT_LENGTH + 4


@pytest.mark.parametrize("name", ["main.cf", "master.cf"])
def test_main_and_master_are_files_of_a_reasonable_size(etc: Path, name: str) -> None:
    (etc / "main.cf").write_text(MODERN)
    with (etc / name).open("wb") as out:
        out.truncate(MAIN_BYTES + 1)
    with pytest.raises(ImportProblem, match=rf"{name} is larger than 16 MiB"):
        import_directory(etc)


def test_a_pipe_in_place_of_master_cf_does_not_hang(importing: Import, etc: Path) -> None:
    os.mkfifo(etc / "master.cf")
    with pytest.raises(ImportProblem, match=r"master\.cf is no regular file"):
        importing(MODERN)


def test_a_line_without_end_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "long"
    with path.open("w") as out:
        for _ in range(3):
            out.write("x" * LINE_LENGTH)
        out.write("\nshort\n" + "y" * LINE_LENGTH + "\nlast")
    assert [len(line) for line in source_lines(path)] == [LINE_LENGTH, 5, LINE_LENGTH, 4]
