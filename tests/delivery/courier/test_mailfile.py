"""Messages in mailboxes and other files: whole, at the end, or not at all."""

from __future__ import annotations

import fcntl
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from delivery.courier import mailfile
from delivery.courier.mailfile import append as carry_out
from delivery.courier.wire import Answer, Append
from tests.delivery.courier.orders import HERE, LETTER, PREFIX, WRITTEN, append, parts


def do(order: Append, *texts: bytes) -> Answer:
    with parts(*texts) as opened:
        return carry_out(order, opened, HERE)


def test_it_works(tmp_path: Path) -> None:
    box = tmp_path / "joe"
    answer = do(append(box, is_mailbox=True))
    assert (answer.dsn, answer.where) == ("2.0.0", str(box))
    assert do(append(box, is_mailbox=True), LETTER[:9], LETTER[9:]).is_done
    assert box.read_bytes() == WRITTEN * 2
    assert stat.S_IMODE(box.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["joe"]


def test_a_message_that_does_not_fit_leaves_no_trace(tmp_path: Path) -> None:
    box = tmp_path / "joe"
    box.write_bytes(WRITTEN)
    limit = len(WRITTEN) * 2
    assert do(append(box, limit=limit)).is_done
    answer = do(append(box, limit=limit))
    assert (answer.dsn, answer.reason) == ("5.2.2", "error writing message: File too large")
    assert box.read_bytes() == WRITTEN * 2
    big = do(append(box, limit=limit * 1000), b"x" * limit * 1000)
    assert big.dsn == "5.2.2"
    assert box.read_bytes() == WRITTEN * 2


def test_a_message_that_cannot_be_read_leaves_no_trace(tmp_path: Path) -> None:
    box = tmp_path / "joe"
    box.write_bytes(WRITTEN)
    unreadable = os.open(tmp_path, os.O_RDONLY)  # reading a directory fails
    try:
        with parts() as opened:
            answer = carry_out(append(box), [*opened, unreadable], HERE)
    finally:
        os.close(unreadable)
    assert answer.dsn == "5.3.0"
    assert box.read_bytes() == WRITTEN


def test_a_lock_file_of_somebody_else_means_later(tmp_path: Path) -> None:
    lock = tmp_path / "joe.lock"
    lock.touch()
    for is_mailbox in (True, False):
        answer = do(append(tmp_path / "joe", is_mailbox=is_mailbox))
        assert answer.dsn == "4.2.0"
        assert answer.reason == f"unable to create lock file {lock}: File exists"
    assert lock.exists()


def test_a_stale_lock_file_is_broken(tmp_path: Path) -> None:
    lock = tmp_path / "joe.lock"
    lock.touch()
    assert do(replace(append(tmp_path / "joe"), stale_s=-1.0, attempts=2)).is_done
    assert not lock.exists()


def test_a_kernel_lock_of_somebody_else_means_later(tmp_path: Path) -> None:
    box = tmp_path / "joe"
    order = replace(append(box), locks=("flock",))
    with box.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        answer = do(order)
    assert (answer.dsn, answer.reason) == ("4.2.0", "unable to lock for exclusive access")
    assert do(order).is_done


def test_a_lock_file_is_not_needed_for_a_file_where_none_can_be_made(tmp_path: Path) -> None:
    box = tmp_path / ("x" * 253)  # with .lock the name is too long
    assert do(append(box)).is_done
    answer = do(append(box, is_mailbox=True))
    assert answer.reason == f"unable to create lock file {box}.lock: File name too long"
    assert answer.dsn == "5.2.0"


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    answer = do(append(tmp_path / "no" / "box"))
    reason = "cannot create file exclusively: No such file or directory"
    assert (answer.dsn, answer.reason) == ("5.2.0", reason)


def test_what_is_no_plain_file_of_one_name_is_refused(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.write_bytes(b"")
    tmp_path.chmod(0o1777)  # where others may make links, not even those of root are followed
    (tmp_path / "link").symlink_to(real)
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    reasons = {name: do(append(tmp_path / name)).reason for name in ("link", "gone", "pipe", ".")}
    os.link(real, tmp_path / "second")
    reasons["real"] = do(append(real)).reason
    assert reasons == {
        "link": "file is a symbolic link",
        "gone": "cannot open file: Resource temporarily unavailable",
        "pipe": "cannot open file: No such device or address",
        ".": "cannot open file: Is a directory",
        "real": "file has 2 hard links",
    }
    assert real.read_bytes() == b""
    assert not (tmp_path / "nowhere").exists()


def test_a_program_is_not_written_to(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"")
    program.chmod(0o700)
    answer = do(append(program))
    assert (answer.dsn, answer.reason) == ("5.7.1", "file is executable")
    assert do(append(program, is_mailbox=True)).is_done  # mailboxes have been seen like that


def test_devices_take_everything() -> None:
    assert do(append("/dev/null")).is_done
    answer = do(append("/dev/null", is_mailbox=True))
    assert answer.reason == "destination /dev/null is not a regular file"
    assert not os.path.exists("/dev/null.lock")


@pytest.mark.parametrize("prefix", ["", PREFIX])
def test_the_prefix_is_written_as_it_is(tmp_path: Path, prefix: str) -> None:
    box = tmp_path / "box"
    assert do(replace(append(box), prefix=prefix), b"a").is_done
    assert box.read_bytes() == prefix.encode() + b"a\n\n"


def test_a_directory_that_cannot_be_synced_gets_no_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: str) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(mailfile, "sync_directory_or_all", fail)
    answer = do(append(tmp_path / "joe", is_mailbox=True))
    assert answer.dsn == "4.3.0"  # it comes again, and must not be there then
    assert (tmp_path / "joe").read_bytes() == b""


def test_a_directory_that_cannot_be_listed_is_durable_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.open

    def closed(path: str, flags: int, *mode: int) -> int:
        if flags & os.O_DIRECTORY:
            raise PermissionError(13, "Permission denied")
        return real(path, flags, *mode)

    monkeypatch.setattr(os, "open", closed)
    monkeypatch.setattr(os, "sync", lambda: synced.append("all"))
    assert do(append(tmp_path / "joe", is_mailbox=True)).is_done
    assert synced == ["all"]
