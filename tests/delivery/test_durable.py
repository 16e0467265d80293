"""Names in a directory become durable, as far as the rights of who made them go."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from delivery.durable import sync_directory, sync_directory_or_all

Sync = Callable[[Path], None]
both = pytest.mark.parametrize("sync", [sync_directory, sync_directory_or_all])


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The inodes that were synced, one by one; 0: all there are."""
    found: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: found.append(os.fstat(descriptor).st_ino))
    monkeypatch.setattr(os, "sync", lambda: found.append(0))
    return found


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No directory can be opened for reading."""

    def refuse(path: Path, flags: int) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(os, "open", refuse)


@both
def test_the_directory_itself_is_synced(sync: Sync, tmp_path: Path, synced: list[int]) -> None:
    sync(tmp_path)
    assert synced == [tmp_path.stat().st_ino]


@pytest.mark.usefixtures("closed")
def test_without_the_right_to_list_it_the_caller_decides(tmp_path: Path, synced: list[int]) -> None:
    with pytest.raises(PermissionError):
        sync_directory(tmp_path)
    assert synced == []


@pytest.mark.usefixtures("closed")
def test_or_everything_is_synced(tmp_path: Path, synced: list[int]) -> None:
    sync_directory_or_all(tmp_path)
    assert synced == [0]


@both
def test_a_sync_that_fails_is_told_and_leaves_nothing_open(
    sync: Sync, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []

    def fail(descriptor: int) -> None:
        given.append(descriptor)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        sync(tmp_path)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(given[0])


@both
def test_what_is_no_directory_is_not_synced(sync: Sync, tmp_path: Path, synced: list[int]) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        sync(tmp_path / "file")
    with pytest.raises(FileNotFoundError):
        sync(tmp_path / "none")
    assert synced == []
