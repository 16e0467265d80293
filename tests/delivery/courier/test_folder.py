"""Messages in Maildirs."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from delivery.courier.folder import store as carry_out
from delivery.courier.identity import Accounts
from delivery.courier.wire import Answer, Store
from tests.delivery.courier.orders import HERE, PREFIX, parts, store


def do(order: Store, *texts: bytes) -> Answer:
    with parts(*texts) as opened:
        return carry_out(order, opened, HERE)


def test_it_works(tmp_path: Path) -> None:
    box = tmp_path / "joe" / "Maildir"
    first, second = do(store(f"{box}/")), do(store(box), b"b\r\n")
    assert first.dsn == second.dsn == "2.0.0"
    assert sorted(os.listdir(box)) == ["cur", "new", "tmp"]
    assert os.listdir(box / "tmp") == []
    assert len(os.listdir(box / "new")) == 2
    where = Path(second.where)
    assert where.parent == box / "new"
    assert where.read_bytes() == PREFIX.encode() + b"b\n"
    assert b"\nFrom here\n" in Path(first.where).read_bytes()  # nothing to be quoted here
    assert stat.S_IMODE(where.stat().st_mode) == 0o600
    assert stat.S_IMODE(box.stat().st_mode) == 0o700


def test_a_message_that_does_not_fit_leaves_no_trace(tmp_path: Path) -> None:
    answer = do(store(tmp_path, limit=10))
    assert (answer.dsn, answer.reason) == ("5.2.2", "error writing message: File too large")
    assert os.listdir(tmp_path / "tmp") == []
    assert os.listdir(tmp_path / "new") == []


class Interrupted:
    """Another delivery to the same Maildir, from beginning to end, after so many system calls."""

    def __init__(self, box: Path, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.box = box
        self.at = at
        self.calls = 0
        self.loose: set[str] = set()  # directories whose names are not on disk yet
        self.answer: Answer | None = None
        self.lost: set[str] = set()  # of them, those that its message was under
        self._mkdir, self._fsync = os.mkdir, os.fsync
        monkeypatch.setattr(os, "mkdir", self.mkdir)
        monkeypatch.setattr(os, "fsync", self.fsync)

    def mkdir(self, path: str, mode: int = 0o777) -> None:
        self.step()
        self._mkdir(path, mode)
        self.loose.add(path)
        self.step()

    def fsync(self, descriptor: int) -> None:
        self.step()
        self._fsync(descriptor)
        directory = os.readlink(f"/proc/self/fd/{descriptor}")
        self.loose = {each for each in self.loose if os.path.dirname(each) != directory}
        self.step()

    def step(self) -> None:
        self.calls += 1
        if self.calls == self.at:
            self.answer = do(replace(store(self.box), hostname="there"))  # no second process id
            self.lost = {
                each for each in self.loose if self.answer.where.startswith(f"{each}{os.sep}")
            }


def test_two_deliveries_make_a_maildir_at_once(tmp_path: Path) -> None:
    """Each says that a message is delivered when nothing can lose it any more."""
    for at in range(1, 100):
        box = tmp_path / str(at) / "joe" / "Maildir"
        with pytest.MonkeyPatch.context() as patch:
            other = Interrupted(box, at, patch)
            answer = do(store(box))
        if other.answer is None:
            assert at > 10
            break
        assert answer.dsn == other.answer.dsn == "2.0.0"
        assert other.lost == set(), at
        assert len(os.listdir(box / "new")) == 2
        assert not {each for each in other.loose if answer.where.startswith(f"{each}{os.sep}")}


def test_a_path_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    answer = do(store(tmp_path / "file"))
    assert answer.dsn == "5.2.0"
    assert answer.reason.startswith(f"create maildir file {tmp_path}/file/tmp/")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_roots_own_maildir_in_a_spool_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o1777)
    accounts = Accounts(spools=[str(tmp_path)])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    box = tmp_path / "root"

    def deliver() -> str:
        process = os.fork()
        if process == 0:  # it becomes root for good
            order = replace(store(f"{box}/"), user="root")
            with parts() as opened:
                answer = carry_out(order, opened, accounts)
            os._exit(0 if answer.dsn == "2.0.0" else 1)
        _, status = os.waitpid(process, 0)
        return "sent" if status == 0 else "refused"

    assert deliver() == "sent"
    assert len(os.listdir(box / "new")) == 1
    shutil.rmtree(box)
    box.symlink_to(elsewhere)
    assert deliver() == "refused"
    assert os.listdir(elsewhere) == []
    box.unlink()
    box.mkdir()
    os.chown(box, 65534, 65534)
    assert deliver() == "refused"
    shutil.rmtree(box)

    def looks(path: str) -> os.stat_result:
        """A user is quick, and puts a link there just when it is found that there is none."""
        try:
            return lstat(path)
        except FileNotFoundError:
            box.symlink_to(elsewhere)
            raise

    lstat = os.lstat
    monkeypatch.setattr("delivery.courier.folder.os.lstat", looks)
    deliver()
    monkeypatch.undo()
    assert os.listdir(elsewhere) == []
    tmp_path.chmod(0o777)
    assert deliver() == "refused"
