"""The courier itself, in a process of its own, as the engine has it."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from delivery.agents.courier import PROJECT, Courier, CourierFailed
from delivery.courier.wire import Answer, Order, ReadForward, ReadInclude, Run, encode
from delivery.values import Content
from tests.delivery.courier.orders import LETTER, PREFIX, WRITTEN, append, run, store
from tests.delivery.spool.messages import asynchronous

CONTENT = Content(size=len(LETTER), data=LETTER)
IS_ROOT = os.geteuid() == 0
NOBODY = 65534 if IS_ROOT else os.geteuid()  # whom files belong to that "nobody" got


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory that every user may reach and write to."""
    with tempfile.TemporaryDirectory(prefix="courier-") as name:
        os.chmod(name, 0o1777)
        yield Path(name)


@asynccontextmanager
async def courier(**named: Any) -> AsyncIterator[Courier]:
    helper = Courier(**named)
    helper.start()
    try:
        yield helper
    finally:
        await helper.close()


def carry(*orders: Order, **named: Any) -> list[Answer]:
    """What a courier of our own answers to these orders."""

    async def run_all() -> list[Answer]:
        async with courier(**named) as helper:
            return [await helper.carry(order, CONTENT) for order in orders]

    return asyncio.run(run_all())


def until(is_so: Callable[[], object]) -> None:
    """Return when it is so."""
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline, "it never was"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except (FileNotFoundError, ProcessLookupError):
        return False


async def begun(path: Path) -> int:
    """The number of the process that writes it there."""
    await asyncio.to_thread(until, lambda: path.exists() and path.read_text().strip())
    return int(await asyncio.to_thread(path.read_text))


def sleeper(folder: Path) -> Run:
    return replace(run(f"echo $$ > {folder}/pid; exec sleep 600", seconds=600.0), user="nobody")


@asynchronous
async def test_it_works() -> None:
    async with courier(environment={"TZ": "UTC"}, directory="/usr") as helper:
        order = replace(run("pwd; id -u; echo $TZ; cat", exported=("TZ",)), user="nobody")
        answer = await helper.carry(order, CONTENT)
    text = LETTER.replace(b"\r\n", b"\n").decode()
    assert answer.output == f"/usr\n{NOBODY}\nUTC\n{PREFIX}{text}"


def test_files_belong_to_the_user(folder: Path) -> None:
    path = folder / "content"
    path.write_bytes(LETTER)
    large = Content(size=len(LETTER), path=str(path), headers=b"X: y\r\n")
    box = replace(append(folder / "box"), user="nobody")

    async def deliver() -> list[Answer]:
        async with courier() as helper:
            return [
                await helper.carry(box, CONTENT),
                await helper.carry(box, large),
                await helper.carry(replace(store(folder / "dir"), user="nobody"), CONTENT),
            ]

    assert all(answer.is_done for answer in asyncio.run(deliver()))
    with_header = WRITTEN.replace(b"Subject", b"X: y\nSubject")
    assert (folder / "box").read_bytes() == WRITTEN + with_header
    assert {(folder / name).stat().st_uid for name in ("box", "dir")} == {NOBODY}


def test_root_has_a_mailbox_and_nothing_else(folder: Path) -> None:
    mailbox = replace(append(folder / "root", is_mailbox=True), user="root")
    answers = carry(
        replace(run("id -u"), user="root"),
        replace(run("id -u"), user="nobody", group="root"),
        replace(append(folder / "file"), user="root"),
        replace(append(folder / "other", is_mailbox=True), user="root"),
        replace(append(f"{folder}/.profile", is_mailbox=True), user="root"),
        replace(run("id -u"), user="no-such-user"),
        ReadForward(user="root", paths=("/etc/shadow",)),
        ReadInclude(user="root", path="/etc/shadow", fallback="nobody"),
        ReadInclude(user="", path="/etc/shadow", fallback="nobody"),
        mailbox,
        spools=[str(folder)],
    )
    if not IS_ROOT:  # an ordinary user is itself, whatever the order says
        assert answers[0].output == f"{os.geteuid()}\n"
        return
    assert [answer.dsn for answer in answers] == ["4.3.5"] * 8 + ["5.3.5", "2.0.0"]
    assert not any(answer.text for answer in answers)
    assert (folder / "root").stat().st_uid == 0
    assert os.listdir(folder) == ["root"]
    (folder / "root").write_text("echo not a mailbox")
    [refused] = carry(mailbox, spools=[str(folder)])
    assert refused.reason == f"destination {folder}/root is no mailbox"


@asynchronous
async def test_the_engines_own_account_is_refused() -> None:
    async with courier(refused=[NOBODY]) as helper:
        answer = await helper.carry(replace(run("id -u"), user="nobody"), CONTENT)
    expected = "4.3.5" if IS_ROOT else "2.0.0"  # there is nothing to become
    assert answer.dsn == expected


@asynchronous
async def test_many_at_once() -> None:
    async with courier() as helper:
        orders = [replace(run(f"echo {number}; sleep 0"), user="nobody") for number in range(60)]
        answers = await asyncio.gather(*(helper.carry(order, CONTENT) for order in orders))
    assert [answer.output for answer in answers] == [f"{number}\n" for number in range(60)]


@asynchronous
async def test_a_courier_that_died_is_started_again_unless_it_had_rights() -> None:
    async with courier() as helper:
        helper.switches = False  # as for an ordinary user
        assert helper._process is not None
        helper._process.kill()
        helper._process.wait()
        answer = await helper.carry(replace(run("echo again"), user="nobody"), CONTENT)
        assert answer.output == "again\n"
        helper.switches = True
        helper._process.kill()
        helper._process.wait()
        with pytest.raises(CourierFailed):
            await helper.carry(run("echo again"), CONTENT)


def test_what_is_given_up_is_stopped(folder: Path) -> None:
    async def give_up() -> int:
        async with courier() as helper:
            task = asyncio.create_task(helper.carry(sleeper(folder), CONTENT))
            pid = await begun(folder / "pid")
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            await asyncio.to_thread(until, lambda: not is_running(pid))
            return pid

    assert asyncio.run(give_up()) > 0


def test_the_end_of_the_engine_stops_commands(folder: Path) -> None:
    """Its sockets are closed, in whatever way it ends."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", "delivery.courier", "--channel", str(theirs.fileno())]
    with subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=PROJECT) as process:
        theirs.close()
        here, there = socket.socketpair()
        socket.send_fds(ours, [encode(sleeper(folder))], [there.fileno()])
        there.close()
        pid = asyncio.run(begun(folder / "pid"))
        assert is_running(pid)
        ours.close()
        here.close()
        assert process.wait(20) == 0
    until(lambda: not is_running(pid))


@asynchronous
async def test_what_is_no_order_is_answered_and_forgotten() -> None:
    async with courier() as helper:
        assert helper._channel is not None
        for data in (b"", b"rubbish", b"{}", b"x" * 200_000):
            ours, theirs = socket.socketpair()
            with ours, theirs:
                socket.send_fds(helper._channel, [data or b" "], [theirs.fileno()])
                theirs.close()
                ours.settimeout(20)
                assert b"not an order" in ours.recv(65536)
        helper._channel.send(b"nothing to answer on")
        answer = await helper.carry(replace(run("echo alive"), user="nobody"), CONTENT)
    assert answer.output == "alive\n"


@asynchronous
async def test_content_that_is_not_whole_is_an_error() -> None:
    async with courier() as helper:
        with pytest.raises(OSError, match="No such file"):
            await helper.carry(run("true"), Content(size=3, path="/no/such/file"))
        with pytest.raises(OSError, match="another size"):
            await helper.carry(run("true"), Content(size=3, path=__file__))


@pytest.mark.parametrize("mode", [0o770, 0o755])
def test_a_spool_directory_lends_its_rights(folder: Path, mode: int) -> None:
    spool = folder / "spool"
    spool.mkdir()
    spool.chmod(mode)
    if IS_ROOT:
        os.chown(spool, 0, 8)  # root and mail
    order = replace(append(spool / "nobody", is_mailbox=True), user="nobody")
    answers = carry(order) + carry(order, order, spools=[str(spool)])
    assert [item.dsn for item in answers] == ["5.2.0" if IS_ROOT else "2.0.0", "2.0.0", "2.0.0"]
    box = spool / "nobody"
    assert box.read_bytes() == WRITTEN * (2 if IS_ROOT else 3)
    assert (box.stat().st_uid, stat.S_IMODE(box.stat().st_mode)) == (NOBODY, 0o600)
    assert os.listdir(spool) == ["nobody"]


def test_a_mailbox_may_belong_to_a_number(folder: Path) -> None:
    numbers = (("#5000", "#600"), ("#99", "#600"), ("#5000", "#0"), ("#x", "#600"), ("#5000", ""))
    orders = [replace(store(folder), user=user, group=group) for user, group in numbers]
    answers = carry(*orders)
    if not IS_ROOT:
        assert all(answer.is_done for answer in answers)
        return
    assert [answer.dsn for answer in answers] == ["2.0.0"] + ["4.3.5"] * 4
    state = Path(answers[0].where).stat()
    assert (state.st_uid, state.st_gid) == (5000, 600)


@pytest.mark.skipif(not IS_ROOT, reason="only root can change the root directory")
def test_no_program_in_another_root_directory_gains_rights() -> None:
    look = replace(run(argv=("grep", "NoNewPrivs", "/proc/self/status")), user="nobody")
    free, held = carry(look, replace(look, chroot="/"))
    assert free.output.split() == ["NoNewPrivs:", "0"]
    assert held.output.split() == ["NoNewPrivs:", "1"]
