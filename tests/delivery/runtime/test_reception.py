"""What one process of an engine sends to the other: messages into the queue, and nothing else."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from delivery.agents.courier import Courier
from delivery.errors import OurError, SmtpFailure
from delivery.journal import Journal
from delivery.policy.facts import Probe, ProbeStatus
from delivery.runtime.anvil import Anvil
from delivery.runtime.link import Link
from delivery.runtime.queuedoor import QueueDoor, QueueVerifier
from delivery.runtime.rates import Rate, Rates
from delivery.runtime.reception import NUMBER, Reception
from delivery.spool import Spool, SpoolLimits, queueid
from delivery.spool.content import ContentFiles
from delivery.spool.intake import CONTENT_DIRECTORY, Intake
from delivery.spool.records import Submission
from tables.addresses import Address
from tests.delivery.runtime.asynchronous import asynchronous, until
from tests.delivery.spool.messages import envelope, leased, whole

GOOD = Address("joe", "example.com")


@dataclass
class Pair:
    """The queue's side, and the door on the other side."""

    spool: Spool
    door: QueueDoor
    link: Link
    intake: Intake
    reception: Reception
    told: list[str]


@asynccontextmanager
async def pair(path: Path, limits: SpoolLimits | None = None) -> AsyncIterator[Pair]:
    """Both in one process."""
    ours, theirs = socket.socketpair()
    told: list[str] = []
    spool = Spool.open(path / "spool", limits=limits)
    await spool.start()
    journal = Journal(path / "journal")
    given: dict[str, Any] = {}
    link = await Link.over(
        theirs,
        {"begin": lambda value, data: given.update(begin=value) or {"pid": 1}},  # type: ignore[func-returns-value]
        lambda: told.append("gone"),
    )
    reception = Reception(0, ours)

    async def flush(site: str) -> int:
        return len(site)

    async def verify(address: Address) -> Probe:
        return Probe(ProbeStatus.DELIVERABLE if address == GOOD else ProbeStatus.PENDING, "so")

    await reception.start(
        spool,
        journal,
        Rates(),
        begin=lambda lease: False,
        queued=lambda: told.append("queued"),
        flush=flush,
        verify=verify,
        lost=lambda: told.append("lost"),
    )
    shard, number, last, processes, first = given["begin"]
    assert (processes, first) == (1, None)
    directory = path / "spool" / str(shard)
    files = ContentFiles(directory / CONTENT_DIRECTORY)
    intake = Intake(directory, queueid.IdMaker(number, last=last), files, spool.limits)
    try:
        yield Pair(spool, QueueDoor(link, intake), link, intake, reception, told)
    finally:
        link.close()
        await until(lambda: "gone" in told)
        intake.close()
        await spool.close()
        journal.close()


@pytest.mark.parametrize("size", [10, 100_000])
@asynchronous
async def test_a_message_crosses(tmp_path: Path, size: int) -> None:
    async with pair(tmp_path) as both:
        writer = both.door.begin()
        writer.write(b"x" * size)
        content = await writer.finish(b"Received: y\r\n")
        sent = envelope("joe@example.com", "ann@example.com")
        submission = Submission(envelope=sent, content=content, queue_id=writer.queue_id)
        queue_id = await both.door.enter_submission(submission)
        assert queue_id == writer.queue_id
        assert both.intake.loose_files == 0
        await until(lambda: "queued" in both.told)
        lease = await leased(both.spool, queue_id)
        assert lease.envelope == sent
        assert await whole(await both.spool.content(lease)) == b"Received: y\r\n" + b"x" * size


async def _enter(door: QueueDoor, data: bytes) -> str:
    writer = door.begin()
    writer.write(data)
    content = await writer.finish()
    submission = Submission(envelope=envelope(), content=content, queue_id=writer.queue_id)
    return await door.enter_submission(submission)


async def _fill(door: QueueDoor) -> None:
    for size in (30_000, 50_000) * 50:
        await _enter(door, b"x" * size)


@asynchronous
async def test_what_the_disk_does_not_take_leaves_nothing(tmp_path: Path) -> None:
    async with pair(tmp_path, SpoolLimits(database_bytes=120_000)) as both:
        with pytest.raises(SmtpFailure, match=r"452 4\.3\.1"):
            await _fill(both.door)
        assert both.intake.loose_files == 0


@pytest.mark.parametrize("end", [OurError("the queue is gone"), asyncio.CancelledError()])
@asynchronous
async def test_content_stays_where_nobody_knows_whether_it_was_entered(
    tmp_path: Path, end: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pair(tmp_path) as both:
        ask = both.link.ask

        async def asked_without_an_answer(*words: Any) -> Any:
            await ask(*words)
            raise end

        monkeypatch.setattr(both.link, "ask", asked_without_an_answer)
        with pytest.raises(type(end)):
            await _enter(both.door, b"x" * 200_000)
        both.intake.close()
        [queue_id] = both.spool.fresh()
        lease = await leased(both.spool, queue_id)
        assert await whole(await both.spool.content(lease)) == b"x" * 200_000


def _message(number: int, **other: Any) -> list[Any]:
    columns = {
        "id": number, "arrived": 1.0, "size": 0, "crc": 0, "sender": "@", "envelope": "{}",
        "hold": "", "recipients": [], "headers": 0, "in_file": False,
    }  # fmt: skip
    return list({**columns, **other}.values())


OURS = queueid.IdMaker(NUMBER).next()


@pytest.mark.parametrize(
    "words",
    [
        None,
        [],
        "x",
        _message(OURS)[:-1],
        [*_message(OURS), 0],
        _message(queueid.IdMaker(0).next()),  # an id of the queue's own
        _message("../../etc", in_file=True),  # type: ignore[arg-type]
        _message(-1, in_file=True),
        _message(OURS, envelope="[]"),
        _message(OURS, sender="nobody"),
        _message(OURS, arrived="soon"),
        _message(OURS, in_file=1),
        _message(OURS, size=1),
        _message(OURS, size=-1, in_file=True),
        _message(OURS, crc=-1),
        _message(OURS, hold=None),
        _message(OURS, headers=-1),
        _message(OURS, headers=1),
        _message(OURS + 1),  # of another shard
        _message((1 << 63) - 1 - queueid.SHARDS + 1 + NUMBER),  # the last of all
        _message(OURS, recipients=["x"]),
        _message(OURS, recipients=[[]]),
        _message(OURS, recipients=[["x", "x", "", "", None]]),
        _message(OURS, recipients=[["a@b", "a@b", "", None]]),
        _message(OURS, recipients=[[1, "a@b", "", "", None]]),
        _message(OURS, recipients=[["a@b", "a@b", "", "", 5]]),
        _message(OURS, recipients=[["a@b", "a@b", "", "", "{}"]]),
    ],
)
@asynchronous
async def test_rows_that_are_none_do_nothing(tmp_path: Path, words: Any) -> None:
    async with pair(tmp_path) as both:
        with pytest.raises(OurError):
            await both.link.ask("enter", words)
        assert sum((await both.spool.operator.counts()).values()) == 0
        assert both.spool.fresh() == []


@asynchronous
async def test_probes_and_flushes_cross(tmp_path: Path) -> None:
    async with pair(tmp_path) as both:
        verifier = QueueVerifier(both.link)
        assert await verifier.verify(GOOD) == Probe(ProbeStatus.DELIVERABLE, "so")
        assert (await verifier.verify(Address("x", ""))).status is ProbeStatus.PENDING
        assert await both.door.flush(0.0, site="example.com") == len("example.com")


@asynchronous
async def test_counts_cross(tmp_path: Path) -> None:
    async with pair(tmp_path) as both:
        anvil, client = Anvil(both.link), ("smtp", "192.0.2.1")
        assert await anvil.connect(*client, 60.0) == (1, 1)
        assert await anvil.connect(*client, 60.0) == (2, 2)
        anvil.disconnect(*client)
        assert await anvil.connect(*client, 60.0) == (2, 3)
        assert await anvil.lately(Rate.MESSAGE, *client, 60.0) == 0
        assert await anvil.count(Rate.MESSAGE, *client, 60.0) == 1
        assert await anvil.lately(Rate.MESSAGE, *client, 60.0) == 1


@pytest.mark.parametrize("words", [None, [], ["x"], ["nothing", "smtp", "192.0.2.1", 60.0]])
@asynchronous
async def test_counts_of_nothing_are_an_error(tmp_path: Path, words: Any) -> None:
    async with pair(tmp_path) as both:
        with pytest.raises(OurError):
            await both.link.ask("count", words)


@asynchronous
async def test_journal_lines_cross(tmp_path: Path) -> None:
    async with pair(tmp_path) as both:
        both.link.tell("journal", None, b'{"event":"accepted"}\n')
        await both.link.ask("flush", "")
        await asyncio.to_thread(both.reception._journal.close)
        [file] = (tmp_path / "journal").glob("*.jsonl")
        assert file.read_bytes() == b'{"event":"accepted"}\n'


@asynchronous
async def test_the_end_of_the_other_process_is_told(tmp_path: Path) -> None:
    async with pair(tmp_path) as both:
        both.link.close()
        await until(lambda: "lost" in both.told)


@asynchronous
async def test_a_child_gives_no_orders_to_the_courier(tmp_path: Path) -> None:
    courier = Courier(directory=str(tmp_path))
    courier.start()
    channel, process = courier._channel, courier._process
    assert channel is not None
    assert process is not None
    courier.disown()
    assert channel.fileno() == -1
    assert await asyncio.to_thread(process.wait) == 0  # nobody else had it
