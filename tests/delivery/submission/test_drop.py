"""The drop directory: what a user leaves there, and what the engine takes."""

from __future__ import annotations

import os
import resource
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from delivery.submission import drop
from delivery.submission.drop import Drop, DropError, Slip, Terms, Writer
from delivery.values import Recipient
from tables.addresses import Address


def person(local: str, domain: str, *notify: str, orcpt: str = "") -> Recipient:
    address = Address(local, domain)
    return Recipient(address=address, original=address, notify=frozenset(notify), orcpt=orcpt)


SLIP = Slip(
    sender=Address("joe", ""),
    recipients=(
        person("ann", "far.example", "NEVER", orcpt="rfc822;x"),
        person("\udce9 b", ""),
    ),
    full_name="Joe",
    ret="HDRS",
    envid="id",
    eightbit=True,
)


@pytest.fixture(name="directory")
def _directory(tmp_path: Path) -> Path:
    directory = tmp_path / "drop"
    drop.make_drop(directory)
    return directory


def leave(directory: Path, data: bytes = b"Subject: x\n\ny\n", slip: Slip = SLIP) -> None:
    writer = Writer(directory)
    writer.write(data)
    writer.finish(slip)


def test_what_was_left_is_found(directory: Path) -> None:
    leave(directory)
    found = Drop(directory)
    [name] = found.names()
    dropped = found.open(name)
    assert dropped.slip == SLIP
    assert dropped.uid == os.getuid()
    assert b"".join(dropped.pieces(3)) == b"Subject: x\n\ny\n"
    dropped.close()
    found.remove(name)
    assert found.names() == []


def test_the_oldest_comes_first(directory: Path) -> None:
    for _ in range(3):
        leave(directory)
    names = Drop(directory).names()
    for number, name in enumerate(reversed(names)):
        os.utime(directory / name, (number, number))
    assert Drop(directory).names() == names[::-1]


def test_others_cannot_list_it(directory: Path) -> None:
    drop.make_drop(directory)  # again: an engine starts
    assert stat.S_IMODE(directory.stat().st_mode) == 0o3733
    leave(directory)
    [name] = Drop(directory).names()
    state = (directory / name).stat()
    assert stat.S_IMODE(state.st_mode) == 0o640
    assert state.st_gid == directory.stat().st_gid


def many(count: int) -> Slip:
    address = Address("someone", "far.example")
    return replace(SLIP, recipients=(Recipient(address=address, original=address),) * count)


def test_an_envelope_that_is_too_long_is_not_taken(directory: Path) -> None:
    writer = Writer(directory)
    with pytest.raises(OSError, match="Too many recipients"):
        writer.finish(many(drop.SLIP_LIMIT // 20))
    writer.abandon()
    assert Drop(directory).names() == []


def test_a_long_envelope_is_read_when_it_is_asked_for(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer(directory)
    writer.finish(many(10_000))
    monkeypatch.setattr(drop, "_read_slip", None)
    dropped = Drop(directory).open(f"{writer.name}.mail")
    assert dropped.is_long
    monkeypatch.undo()
    assert len(dropped.slip.recipients) == 10_000
    dropped.close()


def test_nothing_half_written_is_seen(directory: Path) -> None:
    writer = Writer(directory)
    writer.write(b"x")
    assert Drop(directory).names() == []
    writer.abandon()
    assert [item.name for item in directory.iterdir()] == ["wake"]


def test_a_full_disk_keeps_nothing(directory: Path) -> None:
    writer = Writer(directory)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))  # EFBIG for ENOSPC
    try:
        writer.write(b"x" * 100)
        with pytest.raises(OSError, match="too large"):
            writer.finish(SLIP)
        writer.abandon()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [item.name for item in directory.iterdir()] == ["wake"]


def test_what_dead_writers_left_is_removed(directory: Path) -> None:
    old, new, mail = Writer(directory), Writer(directory), Writer(directory)
    mail.finish(SLIP)
    (directory / "dir.part").mkdir()
    for name in (f"{old.name}.part", f"{mail.name}.mail", "dir.part"):
        os.utime(directory / name, (0, 0))
    drop.purge(directory)
    left = {f"{new.name}.part", f"{mail.name}.mail", "dir.part", "wake"}
    assert {item.name for item in directory.iterdir()} == left
    old.abandon()
    new.abandon()


def test_the_engine_is_woken(directory: Path) -> None:
    descriptor = drop.open_wake(directory)
    with pytest.raises(BlockingIOError):
        os.read(descriptor, 1)
    leave(directory)
    assert os.read(descriptor, 10) == b"W"
    os.close(descriptor)


def test_nobody_is_led_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("data")
    (tmp_path / "wake").symlink_to(tmp_path / "precious")
    drop.wake(tmp_path)
    assert (tmp_path / "precious").read_text() == "data"


def test_what_is_set_aside_gets_a_name(directory: Path) -> None:
    name = f"{'0' * 32}.mail"
    (directory / name).write_bytes(b"x")
    (directory / f"{'0' * 32}.bad").mkdir()
    Drop(directory).set_aside(name)
    assert Drop(directory).names() == []
    assert len(list(directory.glob("*.bad"))) == 2


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Writer(tmp_path / "none")
    assert drop.read_terms(tmp_path / "none") == Terms()


def test_terms_are_known_to_all(directory: Path) -> None:
    drop.publish(directory, Terms(message_size_limit=5))
    drop.publish(directory, Terms(message_size_limit=7))
    assert drop.read_terms(directory) == Terms(message_size_limit=7)
    (directory / "terms.json").write_text("[]")
    assert drop.read_terms(directory) == Terms()


def test_no_user_keeps_the_terms_from_others(directory: Path) -> None:
    (directory / "terms.json.part").mkdir()
    drop.publish(directory, Terms(message_size_limit=5))
    assert drop.read_terms(directory) == Terms(message_size_limit=5)


GOOD = b'{"sender":["joe",""],"recipients":[["ann","x",[],""]],"full_name":"","ret":"",'
GOOD += b'"envid":"","eightbit":false,"is_relayed":false,"is_traced":false,"is_probe":false}\n'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"text" + GOOD,
        GOOD + b"%15d\n" % (len(GOOD) + 1),
        GOOD + b"%15d\n" % 0,
        GOOD + b"            -1 \n",
        GOOD + b"\xff" * 16,
        b"{}\n" + b"%15d\n" % 3,
        b"[" * 3000 + b"%15d\n" % 3000,
        GOOD.replace(b"joe", b"joe\\r\\nRCPT") + b"%15d\n" % (len(GOOD) + 8),
        GOOD.replace(b'["ann","x",[],""]', b'"ann"') + b"%15d\n" % (len(GOOD) - 12),
        GOOD.replace(b'["joe",""]', b'["joe"]') + b"%15d\n" % (len(GOOD) - 3),
        GOOD.replace(b'"is_probe":false', b'"is_probe":true') + b"%15d\n" % (len(GOOD) - 1),
        GOOD.replace(b"joe", b"\\ud800") + b"%15d\n" % (len(GOOD) + 3),
        GOOD.replace(b"[],", b'["ALL"],') + b"%15d\n" % (len(GOOD) + 5),
        GOOD.replace(b'"ret":""', b'"ret":"HDRS SIZE=1"') + b"%15d\n" % (len(GOOD) + 11),
        GOOD.replace(b'["ann","x",[],""]', b"") + b"%15d\n" % (len(GOOD) - 17),
    ],
)
def test_files_of_a_wrong_form_are_refused(directory: Path, data: bytes) -> None:
    name = f"{'0' * 32}.mail"
    (directory / name).write_bytes(data)
    found = Drop(directory)
    with pytest.raises(DropError):
        found.open(name)
    found.set_aside(name)
    assert found.names() == []


def test_the_good_form_is_good(directory: Path) -> None:
    name = f"{'0' * 32}.mail"
    (directory / name).write_bytes(GOOD + b"%15d\n" % len(GOOD))
    Drop(directory).open(name).close()


def test_links_are_not_taken(directory: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(GOOD + b"%15d\n" % len(GOOD))
    hard, soft = f"{'1' * 32}.mail", f"{'2' * 32}.mail"
    os.link(secret, directory / hard)
    (directory / soft).symlink_to(secret)
    found = Drop(directory)
    with pytest.raises(DropError):
        found.open(hard)
    with pytest.raises(OSError, match="symbolic links"):
        found.open(soft)


def test_other_names_are_no_mail(directory: Path) -> None:
    for name in ("x.mail", "terms.json", f"{'0' * 32}.part", f"{'g' * 32}.mail"):
        (directory / name).write_text("x")
    assert Drop(directory).names() == []
