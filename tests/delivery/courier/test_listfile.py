"""Whose .forward and :include: files are read, and which are not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from delivery.courier import listfile
from delivery.courier.listfile import read_forward, read_include
from delivery.courier.wire import Answer, ReadForward, ReadInclude
from tests.delivery.courier.orders import HERE


def forward(*paths: Path) -> Answer:
    return read_forward(ReadForward(user="joe", paths=tuple(map(str, paths))), HERE)


def include(path: Path) -> Answer:
    return read_include(ReadInclude(user="joe", path=str(path), fallback="nobody"), HERE)


def test_it_works(tmp_path: Path) -> None:
    plain = tmp_path / ".forward"
    plain.write_bytes(b"joe, ann\n# \xff\n")
    answer = forward(tmp_path / ".forward+x", plain, tmp_path)
    assert (answer.found, answer.text, answer.reason) == (1, "joe, ann\n# \udcff\n", "")
    assert include(plain).text == answer.text
    assert forward(tmp_path / "none").found == -1


def test_what_others_could_write_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "list"
    file.write_text("ann")
    file.chmod(0o646)
    assert forward(file).reason == f"file {file} is world writable"
    answer = include(file)
    assert (answer.dsn, answer.text) == ("5.3.5", "")
    assert answer.reason == f":include: file {file} is world writable"


def test_links_are_followed_for_lists_alone(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("ann")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real")
    assert include(link).text == "ann"
    assert forward(link).reason == f"file {link} is not a regular file"


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        assert "is not a regular file" in forward(tmp_path / name).reason
        assert include(tmp_path / name).dsn == "5.3.5"
    assert include(tmp_path / "none").dsn == "5.3.5"


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listfile, "FILE_LIMIT", 10)
    file = tmp_path / "list"
    file.write_text("x" * 10)
    assert include(file).text == "x" * 10
    file.write_text("x" * 11)
    assert include(file).dsn == "5.3.5"
    assert "more than 10 octets" in forward(file).reason
