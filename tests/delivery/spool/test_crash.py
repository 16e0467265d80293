"""kill -9 at any moment: what enter() acknowledged is there, whole; nothing else is left behind."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from delivery.spool import QueueState
from delivery.spool.queueid import IdMaker, to_number, to_text
from tests.delivery.spool.messages import (
    LARGE,
    NOW,
    asynchronous,
    envelope,
    leased,
    small,
    spool,
    whole,
    written,
)


def run_until_killed(root: Path, lines: int, *, deliver: bool) -> list[list[str]]:
    """Words of each complete line that the process wrote before SIGKILL."""
    command = [sys.executable, "-m", "tests.delivery.spool.crashing", str(root)]
    command.append("deliver" if deliver else "keep")
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path.cwd()) as child:
        assert child.stdout is not None
        seen = b"".join(child.stdout.readline() for _ in range(lines))
        child.kill()
        seen += child.stdout.read()
    assert child.returncode == -9, child.returncode
    return [line.split() for line in seen.decode().splitlines() if line.count(" ") == 1]


@pytest.mark.parametrize("turn", range(3))
def test_nothing_acknowledged_is_lost(tmp_path: Path, turn: int) -> None:
    lines = random.Random(turn).randrange(1, 400)
    told = run_until_killed(tmp_path, lines, deliver=False)

    @asynchronous
    async def look() -> None:
        async with spool(tmp_path) as opened:
            assert not opened.recovery.clean
            assert opened.recovery.corrupt == ()
            due = await opened.due(NOW, 100_000)
            assert {queue_id for queue_id, _ in told} <= set(due)
            for queue_id, size in told:
                lease = await leased(opened, queue_id)
                assert len(await whole(await opened.content(lease))) == int(size)
            names = {path.name for path in (tmp_path / "0" / "content").iterdir()}
            assert names <= set(due), "an orphan was left"

    look()


def test_what_was_finished_does_not_come_back(tmp_path: Path) -> None:
    told = run_until_killed(tmp_path, 300, deliver=True)
    entered = {queue_id for queue_id, word in told if word != "gone"}
    gone = {queue_id for queue_id, word in told if word == "gone"}

    @asynchronous
    async def look() -> None:
        async with spool(tmp_path) as opened:
            due = set(await opened.due(NOW, 100_000))
            assert entered - gone <= due, "lost"
            # at most the attempts that ran when the process died are repeated
            assert len(gone & due) <= 20, gone & due

    look()


def crash_image(root: Path, name: str) -> Path:
    """What a process killed now would leave: a copy of the files, taken while it runs."""
    target = root.with_name(f"{root.name}-{name}")
    shutil.copytree(root, target)
    return target


@asynchronous
async def test_an_interrupted_message_is_due_at_once_and_later_the_second_time(
    tmp_path: Path,
) -> None:
    async with spool(tmp_path) as opened:
        queue_id = await opened.enter(envelope(), small(), now=NOW)
        root = crash_image(tmp_path, "0")
    waits = []
    for turn in range(4):
        async with spool(root, now=NOW) as opened:
            assert opened.recovery.interrupted == 1
            [listed] = await opened.operator.listing()
            assert listed.state is QueueState.DEFERRED
            waits.append(listed.next_attempt - NOW)
            await leased(opened, queue_id, NOW + 300)
            root = crash_image(root, str(turn))
    assert waits == [0, 300, 600, 1200]


@asynchronous
async def test_a_clean_end_is_no_interruption(tmp_path: Path) -> None:
    async with spool(tmp_path) as opened:
        queue_id = await opened.enter(envelope(), small(), now=NOW)
    for _ in range(3):
        async with spool(tmp_path) as opened:
            assert opened.recovery.clean
            assert await opened.due(NOW) == [queue_id]
            await leased(opened, queue_id)


@asynchronous
async def test_orphan_content_files_are_removed(tmp_path: Path) -> None:
    async with spool(tmp_path) as opened:
        queue_id, content = await written(opened, b"x" * LARGE)
        await opened.enter(envelope(), content, queue_id=queue_id, now=NOW)
        orphan_id, _ = await written(opened, b"y" * LARGE)
        root = crash_image(tmp_path, "left")
    names = {path.name for path in (root / "0" / "content").iterdir()}
    assert names == {queue_id, orphan_id}
    async with spool(root) as opened:
        assert opened.recovery.orphans == 1
        assert [path.name for path in (root / "0" / "content").iterdir()] == [queue_id]


@asynchronous
async def test_a_reopened_shard_never_repeats_an_id(tmp_path: Path) -> None:
    year_2090 = IdMaker(0, clock_ns=lambda: 3_800_000_000 * 10**9).next()
    async with spool(tmp_path) as opened:
        await opened.enter(envelope(), small(), queue_id=to_text(year_2090))
    async with spool(tmp_path) as opened:  # the clock was set back since
        assert to_number(await opened.enter(envelope(), small())) > year_2090
