"""Disk full, torn rows, damaged databases, and the order of writes."""

from __future__ import annotations

import asyncio
import errno
import sqlite3
from pathlib import Path
from typing import BinaryIO

import pytest

from delivery.errors import OurError, SmtpFailure
from delivery.spool import QueueState, Spool, SpoolLimits, Submission, committer, salvage
from delivery.spool.content import ContentFiles
from delivery.spool.database import FILE_NAME, ShardTooNew, open_database
from delivery.spool.queueid import to_number
from delivery.values import Content
from tests.delivery.spool.messages import (
    LARGE,
    NOW,
    asynchronous,
    envelope,
    leased,
    outcomes,
    small,
    spool,
    whole,
    written,
)


class FullDisk(ContentFiles):
    """A disk that has no room for content files, until told otherwise."""

    failing = "write"

    def write(self, file: BinaryIO, data: bytes) -> None:
        if self.failing == "write":
            file.write(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        super().write(file, data)

    def sync(self, file: BinaryIO) -> None:
        if self.failing == "sync":
            raise OSError(errno.EIO, "Input/output error")
        super().sync(file)

    def sync_directory(self) -> None:
        if self.failing == "directory":
            raise OSError(errno.EIO, "Input/output error")
        super().sync_directory()


class Recorder(ContentFiles):
    """Notes the order in which things are made durable."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.events: list[str] = []

    def sync(self, file: BinaryIO) -> None:
        super().sync(file)
        self.events.append("file")

    def sync_directory(self) -> None:
        super().sync_directory()
        self.events.append(f"directory, {count_rows(self.directory.parent)} rows")

    def remove(self, name: str) -> None:
        self.events.append(f"remove, {count_rows(self.directory.parent)} rows")
        super().remove(name)


def count_rows(shard: Path, table: str = "message") -> int:
    """Committed messages, as another process sees them."""
    connection = sqlite3.connect(shard / FILE_NAME)
    try:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    finally:
        connection.close()


@asynchronous
async def test_file_then_directory_then_row_then_answer_then_removal(tmp_path: Path) -> None:
    layers: list[Recorder] = []

    def layer(directory: Path) -> Recorder:
        layers.append(Recorder(directory))
        return layers[-1]

    async with spool(tmp_path, files=layer) as opened:
        queue_id, content = await written(opened, b"x" * LARGE)
        await opened.enter(envelope(), content, queue_id=queue_id)
        layers[0].events.append(f"answer, {count_rows(tmp_path / '0')} rows")
        lease = await leased(opened, queue_id)
        await opened.finish(lease, outcomes(lease), next_attempt=NOW)
    assert layers[0].events == [
        "file",
        "directory, 0 rows",
        "answer, 1 rows",
        "remove, 0 rows",
    ]


def test_commits_are_synced_to_the_disk(tmp_path: Path) -> None:
    connection = open_database(tmp_path / FILE_NAME)
    try:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA page_size").fetchone() == (16384,)
    finally:
        connection.close()


@pytest.mark.parametrize("failing", ["write", "sync"])
def test_content_that_does_not_fit_is_refused_and_the_next_is_taken(
    tmp_path: Path, failing: str
) -> None:
    @asynchronous
    async def run() -> None:
        layers: list[FullDisk] = []

        def layer(directory: Path) -> FullDisk:
            layers.append(FullDisk(directory))
            layers[-1].failing = failing
            return layers[-1]

        async with spool(tmp_path, files=layer) as opened:
            writer = opened.begin()
            for _ in range(10):
                writer.write(b"x" * 20_000)  # the session reads to the end, whatever happens
            with pytest.raises(SmtpFailure) as caught:
                await writer.finish()
            assert (caught.value.code, caught.value.enhanced) == (452, "4.3.1")
            assert list((tmp_path / "0" / "content").iterdir()) == []
            layers[0].failing = ""
            queue_id, content = await written(opened, b"x" * LARGE)
            assert await opened.enter(envelope(), content, queue_id=queue_id) == queue_id

    run()


@asynchronous
async def test_a_directory_that_cannot_be_synced_fails_the_entry(tmp_path: Path) -> None:
    layers: list[FullDisk] = []

    def layer(directory: Path) -> FullDisk:
        layers.append(FullDisk(directory))
        layers[-1].failing = "directory"
        return layers[-1]

    async with spool(tmp_path, files=layer) as opened:
        queue_id, content = await written(opened, b"x" * LARGE)
        with pytest.raises(SmtpFailure):
            await opened.enter(envelope(), content, queue_id=queue_id)
        assert list((tmp_path / "0" / "content").iterdir()) == []
        assert await opened.operator.listing() == []
        assert await opened.enter(envelope(), small())


@asynchronous
async def test_a_full_database_refuses_mail_and_takes_it_again_when_there_is_room(
    tmp_path: Path,
) -> None:
    trouble: list[str] = []
    limits = SpoolLimits(database_bytes=1024 * 1024)
    big = small(b"x" * 30_000)
    async with spool(tmp_path, limits=limits, trouble=trouble.append) as opened:
        answers = await asyncio.gather(
            *(opened.enter(envelope(), big, now=NOW) for _ in range(60)), return_exceptions=True
        )
        ids = [item for item in answers if isinstance(item, str)]
        failures = [item for item in answers if isinstance(item, SmtpFailure)]
        assert len(ids) >= 10
        assert len(failures) >= 10
        assert len(ids) + len(failures) == 60, answers
        assert {(item.code, item.enhanced, item.text) for item in failures} == {
            (452, "4.3.1", "Insufficient system storage")
        }
        assert any("full" in line for line in trouble)
        assert (await opened.operator.counts())[QueueState.ACTIVE] == len(ids)
        for queue_id in ids:
            lease = await leased(opened, queue_id)
            assert await whole(await opened.content(lease)) == big.data
            await opened.finish(lease, outcomes(lease), next_attempt=NOW)
        assert await opened.enter(envelope(), big)


async def fill(opened: Spool, content: Content) -> list[str]:
    """Enter messages until the disk is full; their ids."""
    ids: list[str] = []
    while True:
        try:
            ids.append(await opened.enter(envelope(), content, now=NOW))
        except SmtpFailure:
            return ids


@asynchronous
async def test_the_end_of_a_delivery_waits_for_the_disk_instead_of_failing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "RETRY_S", 0.001)
    refused, lines = asyncio.Event(), []

    def listen(line: str) -> None:
        lines.append(line)
        if lines.count(line) == 20 and "will try again" in line:
            refused.set()

    limits = SpoolLimits(database_bytes=1024 * 1024)
    report = Submission(envelope=envelope(sender="@"), content=small(b"x" * 30_000))
    async with spool(tmp_path, limits=limits, trouble=listen) as opened:
        ids = await fill(opened, report.content)
        lease = await leased(opened, ids[0])
        reports = [report] * 10  # more than the room that the message itself gives back
        ending = asyncio.create_task(
            opened.finish(lease, outcomes(lease), next_attempt=NOW, enter=reports)
        )
        await asyncio.wait_for(refused.wait(), 10)
        assert not ending.done()
        assert opened._committer is not None
        assert opened._committer._batches.under_way >= 0, "one transaction at a time, as before"
        assert await opened.operator.remove(ids[1:]) == ids[1:]
        assert len(await asyncio.wait_for(ending, 10)) == 10
        assert (await opened.operator.counts())[QueueState.ACTIVE] == 10


@asynchronous
async def test_one_bad_operation_does_not_fail_its_neighbours(tmp_path: Path) -> None:
    async with spool(tmp_path) as opened:
        taken = await opened.enter(envelope(), small())
        answers = await asyncio.gather(
            *(opened.enter(envelope(), small()) for _ in range(5)),
            opened.enter(envelope(), small(), queue_id=taken),  # an id given twice: our own mistake
            *(opened.enter(envelope(), small()) for _ in range(5)),
            return_exceptions=True,
        )
        assert [isinstance(item, Exception) for item in answers] == [False] * 5 + [True] + [
            False
        ] * 5
        assert (await opened.operator.counts())[QueueState.ACTIVE] == 11


DAMAGE = {
    "content row": ("DELETE FROM content WHERE id = ?", "content is missing"),
    "recipients": ("DELETE FROM recipient WHERE message = ?", "recipients are missing"),
    "bits": ("UPDATE content SET data = zeroblob(length(data)) WHERE id = ?", "is damaged"),
    "length": ("UPDATE content SET data = x'00' WHERE id = ?", "is damaged"),
    "envelope": ("UPDATE message SET envelope = '{\"cli' WHERE id = ?", "damaged column"),
    "sender": ("UPDATE message SET sender = 'x' WHERE id = ?", "address without @"),
    "address": ("UPDATE recipient SET address = 'x' WHERE message = ?", "address without @"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_torn_entry_is_set_aside_reported_and_kept(tmp_path: Path, kind: str) -> None:
    statement, expected = DAMAGE[kind]

    @asynchronous
    async def run() -> None:
        async with spool(tmp_path) as opened:
            torn = await opened.enter(envelope(), small(), now=NOW)
            sound = await opened.enter(envelope(), small(), now=NOW)
        connection = sqlite3.connect(tmp_path / "0" / FILE_NAME)
        with connection:
            connection.execute(statement, (to_number(torn),))
        connection.close()

        trouble: list[str] = []
        async with spool(tmp_path, trouble=trouble.append) as opened:
            lease = await opened.lease(torn, next_attempt=NOW)
            if lease is not None:
                assert await opened.content(lease) is None
            [told] = trouble
            assert told.startswith(f"{torn}: set aside: ")
            assert expected in told
            assert await opened.due(NOW) == [sound]
        async with spool(tmp_path) as opened:  # it stays, and is not reported as new
            assert opened.recovery.corrupt == ()
            states = {item.queue_id: item.state for item in await opened.operator.listing()}
            assert states[torn] is QueueState.CORRUPT
            lease = await leased(opened, sound)
            assert await whole(await opened.content(lease)) == small().data

    run()


@pytest.mark.parametrize("damage", ["missing", "short"])
def test_a_damaged_content_file_is_set_aside(tmp_path: Path, damage: str) -> None:
    @asynchronous
    async def run() -> None:
        async with spool(tmp_path) as opened:
            queue_id, content = await written(opened, b"x" * LARGE)
            await opened.enter(envelope(), content, queue_id=queue_id)
        path = tmp_path / "0" / "content" / queue_id
        if damage == "missing":
            path.unlink()
        else:
            with path.open("r+b") as file:
                file.truncate(5)
        async with spool(tmp_path) as opened:
            [corrupt] = opened.recovery.corrupt
            assert corrupt.queue_id == queue_id
            assert await opened.due(NOW) == []

    run()


async def without_envelope(path: Path) -> str:
    """The name of a message of which the queue has the text alone."""
    async with spool(path) as opened:
        queue_id = await opened.enter(envelope(), small())
    connection = sqlite3.connect(path / "0" / FILE_NAME)
    with connection:
        connection.execute("DELETE FROM message")
    connection.close()
    return queue_id


@asynchronous
async def test_an_envelope_that_is_gone_leaves_its_text_with_the_operator(tmp_path: Path) -> None:
    queue_id = await without_envelope(tmp_path)
    trouble: list[str] = []
    async with spool(tmp_path, trouble=trouble.append) as opened:
        [corrupt] = opened.recovery.corrupt
        assert corrupt.queue_id == queue_id
        [told] = trouble
        assert queue_id in told
        assert f"damaged/{queue_id}" in told
        saved = (tmp_path / "0" / "damaged" / queue_id).read_bytes()
        assert b"joe@example.com" in saved
        assert saved.endswith(small().data)


@asynchronous
async def test_what_was_saved_lasts_before_it_leaves_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_id = await without_envelope(tmp_path)
    synced: list[tuple[str, bool, int]] = []

    def note(path: Path) -> None:
        rows = count_rows(tmp_path / "0", "content")
        synced.append((path.name, (tmp_path / "0" / "damaged" / queue_id).exists(), rows))

    monkeypatch.setattr(salvage, "sync_directory", note)
    async with spool(tmp_path):
        assert count_rows(tmp_path / "0", "content") == 0
    assert synced == [("damaged", True, 1), ("0", True, 1)]


@asynchronous
async def test_a_torn_page_costs_the_messages_on_it_and_no_others(tmp_path: Path) -> None:
    async with spool(tmp_path) as opened:
        ids = [await opened.enter(envelope(), small(b"%04d" % n * 2000)) for n in range(60)]
    path = tmp_path / "0" / FILE_NAME
    tear(path, table="content")
    trouble: list[str] = []
    async with spool(tmp_path, trouble=trouble.append) as opened:
        assert trouble == [str(each) for each in opened.recovery.corrupt]
        assert trouble[0].startswith("queue database: ")
        assert opened.recovery.set_aside.startswith("damaged/")
        assert (tmp_path / "0" / opened.recovery.set_aside / FILE_NAME).exists()
        lost = {item.queue_id for item in opened.recovery.corrupt} & set(ids)
        due = await opened.due(NOW + 1e9)
        assert set(due) | lost == set(ids)
        assert 1 <= len(lost) <= 10, lost
        for queue_id in due:
            lease = await leased(opened, queue_id)
            assert len(await whole(await opened.content(lease))) == 8000
        assert await opened.enter(envelope(), small())


def tear(path: Path, table: str) -> None:
    """Overwrite one leaf page of a table in the middle of the file."""
    connection = sqlite3.connect(path)
    [size] = connection.execute("PRAGMA page_size").fetchone()
    [root] = connection.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)
    ).fetchone()
    connection.close()
    data = bytearray(path.read_bytes())
    page = data[(root - 1) * size : root * size]
    assert page[0] == 5, "the root page is expected to be an interior page"
    count = int.from_bytes(page[3:5], "big")
    pointer = int.from_bytes(page[12 + count // 2 * 2 : 14 + count // 2 * 2], "big")
    leaf = int.from_bytes(page[pointer : pointer + 4], "big")
    data[(leaf - 1) * size : leaf * size] = b"\xde\xad" * (size // 2)
    path.write_bytes(data)


@asynchronous
async def test_a_file_that_is_no_database_is_set_aside(tmp_path: Path) -> None:
    async with spool(tmp_path) as opened:
        await opened.enter(envelope(), small())
    (tmp_path / "0" / FILE_NAME).write_bytes(b"\0garbage" * 10_000)
    async with spool(tmp_path) as opened:
        assert opened.recovery.set_aside
        assert opened.recovery.corrupt
        assert await opened.enter(envelope(), small())


@asynchronous
async def test_the_damaged_database_lasts_where_it_was_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with spool(tmp_path) as opened:
        await opened.enter(envelope(), small())
    shard = tmp_path / "0"
    (shard / FILE_NAME).write_bytes(b"\0garbage" * 10_000)
    synced: list[tuple[str, bool, bool]] = []

    def note(path: Path) -> None:
        aside = bool(list(shard.glob(f"damaged/*/{FILE_NAME}")))
        synced.append((str(path.relative_to(shard)), aside, (shard / FILE_NAME).exists()))

    monkeypatch.setattr(salvage, "sync_directory", note)
    async with spool(tmp_path) as opened:
        place = opened.recovery.set_aside
    assert synced == [
        ("damaged", False, True),  # it has somewhere to go
        (".", False, True),
        (place, True, False),  # it is there
        (".", True, False),
        (".", True, True),  # and the new one in its place
    ]


@asynchronous
async def test_the_log_of_the_damaged_database_is_none_of_the_new_one(tmp_path: Path) -> None:
    """The engine was killed when it had set aside the one and not yet the other."""
    async with spool(tmp_path / "old") as opened:
        for number in range(30):
            await opened.enter(envelope(), small(b"%d" % number * 2000))
        log = (tmp_path / "old" / "0" / f"{FILE_NAME}-wal").read_bytes()
    async with spool(tmp_path) as opened:
        ids = {await opened.enter(envelope(), small()) for _ in range(5)}
    shard = tmp_path / "0"
    (shard / FILE_NAME).rename(shard / salvage.REBUILT)
    (shard / f"{FILE_NAME}-wal").write_bytes(log)
    async with spool(tmp_path) as opened:
        assert opened.recovery.set_aside == ""
        assert set(await opened.due(NOW + 1e9)) == ids
    [kept] = shard.glob(f"damaged/*/{FILE_NAME}-wal")
    assert kept.read_bytes() == log


@asynchronous
async def test_a_shard_of_a_later_release_is_not_touched(tmp_path: Path) -> None:
    async with spool(tmp_path):
        pass
    connection = sqlite3.connect(tmp_path / "0" / FILE_NAME)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = (tmp_path / "0" / FILE_NAME).read_bytes()
    with pytest.raises(ShardTooNew):
        async with spool(tmp_path):
            pass
    assert (tmp_path / "0" / FILE_NAME).read_bytes() == before


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@asynchronous
async def test_without_its_thread_the_spool_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(self: committer.Committer, batch: list[committer.Operation]) -> None:
        raise SystemExit

    opened = Spool.open(tmp_path, now=NOW)
    lost = asyncio.Event()
    await opened.start(lost.set)
    monkeypatch.setattr(committer.Committer, "_transaction", end)
    queue_id, content = await written(opened, b"x")
    submission = Submission(envelope=envelope(), content=content, queue_id=queue_id)
    with pytest.raises(OurError):
        await opened.enter_submission(submission)
    await asyncio.wait_for(lost.wait(), 20)
    with pytest.raises(OurError):
        await opened.enter_submission(submission)
    await opened.close()
