"""The virtual mailbox agent: Maildirs, quotas, and paths that must not escape."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from delivery.agents import maildir
from delivery.agents.base import Delivery
from delivery.agents.disk import Disk
from delivery.agents.mailbox import MailboxAgent, MailboxSettings
from delivery.agents.maildir import HANDS, MaildirWriter, with_newlines
from delivery.values import Content, Envelope, Outcome, Recipient, Route, Status
from tables.addresses import Address
from tests.delivery.agents.tables import DictMaps
from tests.delivery.spool.messages import asynchronous, recipient

BOX = "example.com/joe/Maildir/"
TEXT = b"Received: here\r\nSubject: hello\r\n\r\nbody\r\n"


def agent(
    writer: MaildirWriter,
    base: Path,
    boxes: dict[str, str] | DictMaps | None = None,
    limits: dict[str, str] | None = None,
    **settings: object,
) -> MailboxAgent:
    if not isinstance(boxes, DictMaps):
        boxes = DictMaps({"joe@example.com": BOX} if boxes is None else boxes)
    bound = MailboxSettings(virtual_mailbox_base=str(base), **settings)  # type: ignore[arg-type]
    return MailboxAgent(writer, bound, boxes, DictMaps(limits))


@asynccontextmanager
async def writing(disk: Disk | None = None) -> AsyncIterator[MaildirWriter]:
    writer = MaildirWriter(hostname="mx/1:a.example", disk=disk)
    yield writer
    writer.close()


def letter(*recipients: Recipient, content: Content | None = None) -> Delivery:
    people = recipients or (recipient("joe@example.com"),)
    return Delivery(
        queue_id="Q",
        envelope=Envelope(sender=Address("ann", "sender.example"), recipients=people),
        route=Route("virtual", "example.com"),
        recipients=people,
        content=content or Content(size=len(TEXT), data=TEXT),
        arrived=0.0,
    )


async def deliver(chosen: MailboxAgent, *recipients: Recipient) -> Outcome:
    [outcome] = (await chosen.deliver(letter(*recipients))).outcomes
    return outcome


def files(box: Path) -> list[Path]:
    return sorted(path for path in box.rglob("*") if path.is_file())


@asynchronous
async def test_it_works(tmp_path: Path) -> None:
    async with writing() as writer:
        outcome = await deliver(agent(writer, tmp_path))
    assert (outcome.status, outcome.dsn, outcome.reason, outcome.relay) == (
        Status.SENT,
        "2.0.0",
        "delivered to maildir",
        "virtual",
    )
    [path] = files(tmp_path)
    assert outcome.delivered_to == str(path.relative_to(tmp_path))
    assert path.parent == tmp_path / "example.com" / "joe" / "Maildir" / "new"
    data = path.read_bytes()
    assert data == (
        b"Return-Path: <ann@sender.example>\n"
        b"X-Original-To: joe@example.com\n"
        b"Delivered-To: joe@example.com\n" + TEXT.replace(b"\r\n", b"\n")
    )
    assert re.fullmatch(
        rf"\d+\.M\d+P{os.getpid()}Q\d+\.mx\\0571\\072a\.example,S={len(data)}", path.name
    ), path.name
    assert path.stat().st_mode & 0o777 == 0o600
    for directory in ("", "tmp", "new", "cur"):
        assert (path.parent.parent / directory).stat().st_mode & 0o777 == 0o700


@asynchronous
async def test_many_at_once_all_arrive_and_share_waits(tmp_path: Path) -> None:
    class Counting(Disk):
        waits = 0

        def sync(self, descriptors: Sequence[int]) -> None:
            Counting.waits += 1
            super().sync(descriptors)

    async with writing(Counting()) as writer:
        chosen = agent(writer, tmp_path)
        outcomes = await asyncio.gather(*(deliver(chosen) for _ in range(200)))
    assert {item.status for item in outcomes} == {Status.SENT}
    found = files(tmp_path)
    assert len(found) == 200
    assert {path.parent.name for path in found} == {"new"}
    assert Counting.waits <= 60, Counting.waits


@asynchronous
async def test_a_large_message_is_copied_from_its_file(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes((b"x" * 77 + b"\r\n") * 20_000)
    content = Content(size=source.stat().st_size, path=str(source), headers=b"H: 1\r\n")
    async with writing() as writer:
        [outcome] = (
            await agent(writer, tmp_path / "mail").deliver(letter(content=content))
        ).outcomes
    assert outcome.status is Status.SENT
    [path] = files(tmp_path / "mail")
    assert path.read_bytes().endswith(b"H: 1\n" + (b"x" * 77 + b"\n") * 20_000)
    assert path.name.endswith(f",S={path.stat().st_size}")


@pytest.mark.parametrize(
    "pieces, expected",
    [
        ([b"a\r\nb\r\n"], b"a\nb\n"),
        ([b"a\r", b"\nb\r", b"\n"], b"a\nb\n"),
        ([b"a\rb\r", b"c\r\n"], b"a\rb\rc\n"),
        ([b"a"], b"a\n"),
        ([b"a\r"], b"a\r\n"),
        ([], b""),
        ([b"\r\r", b"\n"], b"\r\n"),
    ],
)
def test_line_ends(pieces: list[bytes], expected: bytes) -> None:
    assert b"".join(with_newlines(pieces)) == expected


@asynchronous
async def test_where_a_mailbox_is(tmp_path: Path) -> None:
    boxes = {"joe@example.com": "a/", "joe+x@example.com": "b/", "@example.com": "rest/"}
    async with writing() as writer:
        chosen = agent(writer, tmp_path, boxes, recipient_delimiter="+")
        found = []
        for name in ("Joe", "joe+x", "joe+y", "other"):
            outcome = await deliver(chosen, recipient(f"{name}@example.com"))
            found.append(outcome.delivered_to.split("/")[0])
    assert found == ["a", "b", "a", "rest"]


@asynchronous
async def test_an_unknown_user_is_returned(tmp_path: Path) -> None:
    async with writing() as writer:
        outcome = await deliver(agent(writer, tmp_path, {}), recipient("No@example.com"))
    assert (outcome.status, outcome.dsn, outcome.reason) == (
        Status.BOUNCED,
        "5.1.1",
        'unknown user: "no@example.com"',
    )


@asynchronous
async def test_a_table_that_cannot_be_asked_means_later(tmp_path: Path) -> None:
    async with writing() as writer:
        outcome = await deliver(agent(writer, tmp_path, DictMaps(broken=True)))
        assert (outcome.status, outcome.dsn) == (Status.DEFERRED, "4.3.0")
        limits = {"joe@example.com": "plenty"}
        outcome = await deliver(agent(writer, tmp_path, limits=limits))
        assert (outcome.status, outcome.dsn) == (Status.DEFERRED, "4.3.0")
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    "path", ["../evil/", "a/../../evil/", "..//", "a/..", "./", "/", "a/\0b/", "a/../b/"]
)
def test_a_path_cannot_leave_the_base(tmp_path: Path, path: str) -> None:
    base = tmp_path / "base"

    @asynchronous
    async def run() -> None:
        async with writing() as writer:
            outcome = await deliver(agent(writer, base, {"joe@example.com": path}))
            assert outcome.status is Status.DEFERRED
            assert outcome.dsn == "4.3.5"

    run()
    assert not (tmp_path / "evil").exists()
    assert files(tmp_path) == []


@asynchronous
async def test_an_absolute_path_stays_below_the_base(tmp_path: Path) -> None:
    async with writing() as writer:
        outcome = await deliver(agent(writer, tmp_path, {"joe@example.com": "/etc/joe/"}))
    assert outcome.delivered_to.startswith("etc/joe/new/")
    assert len(files(tmp_path / "etc")) == 1


@pytest.mark.parametrize(
    "link", ["example.com", "example.com/joe", "example.com/joe/Maildir", BOX + "tmp", BOX + "new"]
)
def test_symbolic_links_are_not_followed(tmp_path: Path, link: str) -> None:
    outside, base = tmp_path / "outside", tmp_path / "base"
    for name in ("joe/Maildir/tmp", "Maildir/new", "tmp", "new", "cur"):
        (outside / name).mkdir(parents=True)
    (base / link).parent.mkdir(parents=True, exist_ok=True)
    (base / link).symlink_to(outside, target_is_directory=True)

    @asynchronous
    async def run() -> None:
        async with writing() as writer:
            outcome = await deliver(agent(writer, base))
            assert outcome.status is Status.DEFERRED, outcome.delivered_to

    run()
    assert files(outside) == []


@asynchronous
async def test_a_file_in_the_way_is_reported(tmp_path: Path) -> None:
    (tmp_path / "example.com").write_text("not a directory")
    async with writing() as writer:
        outcome = await deliver(agent(writer, tmp_path))
    assert outcome.status is Status.DEFERRED
    assert outcome.reason == "maildir delivery failed: Not a directory"


@asynchronous
async def test_a_mailbox_file_is_not_supported_and_says_so(tmp_path: Path) -> None:
    async with writing() as writer:
        outcome = await deliver(agent(writer, tmp_path, {"joe@example.com": "joe"}))
    assert (outcome.status, outcome.dsn) == (Status.DEFERRED, "4.3.5")


@asynchronous
async def test_a_message_above_the_limit_is_returned(tmp_path: Path) -> None:
    async with writing() as writer:
        outcome = await deliver(agent(writer, tmp_path, virtual_mailbox_limit=10))
    assert (outcome.status, outcome.dsn) == (Status.BOUNCED, "5.2.2")
    assert files(tmp_path) == []


@asynchronous
async def test_a_full_mailbox_makes_mail_wait_until_there_is_room(tmp_path: Path) -> None:
    async with writing() as writer:
        chosen = agent(writer, tmp_path, limits={"joe@example.com": "300"})
        results = [await deliver(chosen) for _ in range(5)]
        assert [item.dsn for item in results] == ["2.0.0"] * 2 + ["4.2.2"] * 3
        assert results[-1].reason == "maildir delivery failed: mailbox is full (quota 300 bytes)"
        stored = files(tmp_path)
        assert len(stored) == 2, "nothing is left in tmp/"
        stored[0].unlink()  # as an IMAP server does
        assert (await deliver(chosen)).dsn == "2.0.0"
        assert (await deliver(chosen)).dsn == "4.2.2"


@asynchronous
async def test_folders_and_read_mail_count(tmp_path: Path) -> None:
    box = tmp_path / BOX
    for name in ("new", "cur", "tmp", ".Sent/cur"):
        (box / name).mkdir(parents=True)
    (box / "cur" / "1.x.host,S=150:2,S").write_bytes(b"")
    (box / ".Sent" / "cur" / "2.x.host:2,").write_bytes(b"x" * 100)
    async with writing() as writer:
        for quota, dsn in (("300", "4.2.2"), ("500", "2.0.0")):
            outcome = await deliver(agent(writer, tmp_path, limits={"joe@example.com": quota}))
            assert outcome.dsn == dsn, quota


class BrokenDisk(Disk):
    """A disk that cannot be written to any more; at sync number `at`."""

    def __init__(self, at: int) -> None:
        super().__init__(use_syncfs=False)
        self._left = at

    def sync_file(self, descriptor: int) -> None:
        self._left -= 1
        if self._left == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().sync_file(descriptor)


@pytest.mark.parametrize("at", range(1, 7))
def test_what_is_not_known_to_be_durable_is_not_sent(tmp_path: Path, at: int) -> None:
    """Four directories, the file, its new name."""

    @asynchronous
    async def run() -> None:
        async with writing(BrokenDisk(at)) as writer:
            outcome = await deliver(agent(writer, tmp_path))
            assert (outcome.status, outcome.dsn) == (Status.DEFERRED, "4.2.2")
            assert len(files(tmp_path)) == (at == 6)
            assert (await deliver(agent(writer, tmp_path))).status is Status.SENT

    run()


@asynchronous
async def test_one_bad_mailbox_does_not_fail_its_neighbours(tmp_path: Path) -> None:
    boxes = {"joe@example.com": "joe/", "bad@example.com": "../bad/", "ann@example.com": "ann/"}
    people = [recipient(name) for name in boxes]
    async with writing() as writer:
        result = await agent(writer, tmp_path, boxes).deliver(letter(*people))
    assert [item.status for item in result.outcomes] == [
        Status.SENT,
        Status.DEFERRED,
        Status.SENT,
    ]


@asynchronous
async def test_files_are_durable_before_they_are_seen(tmp_path: Path) -> None:
    events = []

    class Recording(Disk):
        def sync_file(self, descriptor: int) -> None:
            super().sync_file(descriptor)
            name = Path(os.readlink(f"/proc/self/fd/{descriptor}")).relative_to(tmp_path)
            seen = sorted(path.name for path in (tmp_path / BOX).iterdir())
            letters = len(list((tmp_path / BOX / "new").iterdir()))
            events.append(("tmp" if "tmp" in name.parts else str(name), seen, letters))

    async with writing(Recording(use_syncfs=False)) as writer:
        assert (await deliver(agent(writer, tmp_path))).status is Status.SENT
    above = [".", "example.com", "example.com/joe", "example.com/joe/Maildir"]
    assert events == [
        *((name, ["cur", "new"], 0) for name in above),  # the directories, then what shows that
        ("tmp", ["cur", "new", "tmp"], 0),  # the file before its name
        (f"{above[-1]}/new", ["cur", "new", "tmp"], 1),  # then the name
    ]


@asynchronous
async def test_a_base_that_was_missing_is_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(maildir, "sync_directory_or_all", synced.append)
    async with writing() as writer:
        for _ in range(2):
            outcome = await deliver(agent(writer, tmp_path / "a" / "b"))
            assert outcome.status is Status.SENT
    assert synced == [str(tmp_path / "a"), str(tmp_path)]


@asynchronous
async def test_a_directory_that_another_batch_has_just_made_is_durable_as_well(
    tmp_path: Path,
) -> None:
    synced: list[str] = []
    begun, gate = threading.Event(), threading.Event()

    class FirstIsSlow(Disk):
        def sync_file(self, descriptor: int) -> None:
            if not begun.is_set():
                begun.set()
                assert gate.wait(30)
            super().sync_file(descriptor)
            synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))

    async with writing(FirstIsSlow(use_syncfs=False)) as writer:
        first = asyncio.create_task(deliver(agent(writer, tmp_path)))
        assert await asyncio.to_thread(begun.wait, 30)  # the Maildir is made, and not synced
        assert (await deliver(agent(writer, tmp_path))).status is Status.SENT
        above = [str(path) for path in (tmp_path / BOX).parents if path.is_relative_to(tmp_path)]
        assert set(above) <= set(synced)
        assert not first.done()
        gate.set()
        assert (await first).status is Status.SENT


@asynchronous
async def test_a_slow_disk_is_waited_for_by_several_threads(tmp_path: Path) -> None:
    slow, gate = threading.Semaphore(0), threading.Event()
    at_work: set[str] = set()

    class Slow(Disk):
        def sync(self, descriptors: Sequence[int]) -> None:
            at_work.add(threading.current_thread().name)
            slow.release()
            assert gate.wait(30)
            super().sync(descriptors)

    async with writing(Slow()) as writer:
        chosen = agent(writer, tmp_path)
        begun = []
        for _ in range(HANDS):
            begun.append(asyncio.create_task(deliver(chosen)))
            assert await asyncio.to_thread(slow.acquire, timeout=30)
        assert len(at_work) == HANDS
        begun += [asyncio.create_task(deliver(chosen)) for _ in range(5)]
        gate.set()
        outcomes = await asyncio.gather(*begun)
    assert {item.status for item in outcomes} == {Status.SENT}
    found = files(tmp_path)
    assert len(found) == len(begun)
    assert {path.parent.name for path in found} == {"new"}


@asynchronous
async def test_what_was_begun_is_written_before_the_end(tmp_path: Path) -> None:
    begun, gate = threading.Event(), threading.Event()

    class Slow(Disk):
        def sync(self, descriptors: Sequence[int]) -> None:
            begun.set()
            assert gate.wait(30)
            super().sync(descriptors)

    async with writing(Slow()) as writer:
        chosen = agent(writer, tmp_path)
        letters = [asyncio.create_task(deliver(chosen))]
        assert await asyncio.to_thread(begun.wait, 30)
        letters += [asyncio.create_task(deliver(chosen)) for _ in range(3)]
        await asyncio.sleep(0)  # they wait
        gate.set()
    assert len(files(tmp_path / BOX / "new")) == 4
    assert {item.status for item in await asyncio.gather(*letters)} == {Status.SENT}
