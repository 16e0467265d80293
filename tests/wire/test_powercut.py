"""The order of writes: at no moment would a power cut lose what was acknowledged.

An engine runs below strace(1). Of its system calls the disk is put together as it may be found
after each of them; every message whose 250 was under way is in the queue then, or where it was to
go. The same engine, made careless in one point, is found out each time. The same on a disk that
fails now and then: what a sync that failed was to write is on the disk when it is written again.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from delivery.spool import QueueState, Spool
from tests.delivery.spool.messages import whole
from tests.tables.writing.records import domain, table
from tests.wire import load, powercut
from tests.wire.careless import WAYS
from tests.wire.engine import Home, Running
from tests.wire.nexthop import NextHop
from tests.wire.polling import eventually
from tests.wire.talk import Talk

QUEUE_ID = re.compile(rb"\sid (\w+z\w+)\b")
END = b"The end."
# SQLite's alone, every other one of each thread once the queue is open
FAILING = ("-e", "inject=fdatasync:error=EIO:when=10+2")
LARGE = ("y" * 98,) * (load.LARGE // 100)


class Traced(Running):
    """An engine below strace(1)."""

    def __init__(self, home: Home, *program: str, options: Sequence[str] = ()) -> None:
        self.trace = home.path.with_name(f"{home.path.name}.trace")
        command = (*powercut.COMMAND, *options, "-o", str(self.trace))
        command += (sys.executable, "-m", *program)
        super().__init__(home, command=command)

    def __exit__(self, *_: object) -> None:
        """strace(1) ends with its program, and lets go of it when it is killed itself."""
        assert self.process is not None
        tracer = psutil.Process(self.process.pid)
        for engine in tracer.children():
            engine.terminate()
        try:
            self.wait(60)
        except subprocess.TimeoutExpired:
            for each in [*tracer.children(recursive=True), tracer]:
                each.kill()
            raise


class Scene:
    """A Maildir, another server, and a file that the courier writes; mail goes to all of them."""

    def __init__(self, home: Home, hop: NextHop, places: Path) -> None:
        self._home = home
        self._hop = hop
        self._places = places
        self._file = places / "mail"
        self.acknowledged: frozenset[str] = frozenset()
        home.publish(
            values={
                "alias_maps": "hash:aliases",
                "myorigin": "here.example",
                "transport_maps": f"inline:{{far.example=smtp:[127.0.0.1]:{hop.port}}}",
            },
            domains=[domain("here.example", "local")],
            tables=[table("aliases", {"file": str(self._file)}, kind="aliases")],
        )

    def play(self, *program: str, options: Sequence[str] = ()) -> Iterator[powercut.Moment]:
        """Send some mail; the moments of it. `options` are for strace(1)."""
        with Traced(self._home, *program, options=options) as engine:
            for recipient in ("joe@example.com", "x@far.example", "file@here.example"):
                for lines in ((), LARGE):
                    _send(engine.port, recipient, *lines)
                    eventually(engine.is_idle, within_s=60)
            with ThreadPoolExecutor(8) as clients:
                for number in range(8):
                    lines = LARGE if number % 4 == 0 else ()
                    recipient = ("x@far.example", "ann@example.com")[number // 2 % 2]
                    clients.submit(_send, engine.port, recipient, *lines)
            eventually(engine.is_idle, within_s=60)
        return powercut.moments(engine.trace, [self._home.path, self._places])

    def losses(self, moments: Iterator[powercut.Moment]) -> Iterator[str]:
        """What would be lost at some moment, in words."""
        queued = Queue(self._home.path / "spool")
        for moment in moments:
            self.acknowledged = moment.acknowledged
            taken = {_id(each.data) for each in self._hop.taken if each.at <= moment.time}
            for kept in powercut.EVERYTHING_MAY_BE:
                image = moment.disk.image(kept)
                if lost := moment.acknowledged - taken - self._delivered(image) - queued(image):
                    yield f"at {moment.time:.6f}, {kept}: {sorted(lost)}"

    def _delivered(self, image: dict[str, bytes]) -> set[str]:
        """What is in Maildirs and in the file."""
        texts = [text for path, text in image.items() if "/Maildir/new/" in path]
        texts += image.get(str(self._file), b"").split(b"\nFrom ")
        return {_id(text) for text in texts if END in text}


class Queue:
    """Says which messages an engine finds, whole, in its queue; equal queues are looked at once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[int, set[str]] = {}

    def __call__(self, image: dict[str, bytes]) -> set[str]:
        """Queue ids."""
        files = {path: data for path, data in image.items() if path.startswith(f"{self._root}/")}
        key = hash(frozenset(files.items()))
        if key not in self._known:
            with tempfile.TemporaryDirectory() as place:
                self._known[key] = asyncio.run(self._found(files, Path(place)))
        return self._known[key]

    async def _found(self, files: dict[str, bytes], place: Path) -> set[str]:
        for path, data in files.items():
            target = place / Path(path).relative_to(self._root)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        spool = Spool.open(place)
        await spool.start()
        try:
            found = set()
            for queue_id in await spool.operator.ids(states=set(QueueState) - {QueueState.CORRUPT}):
                lease = await spool.lease(queue_id, next_attempt=0.0)
                assert lease is not None
                if END in await whole(await spool.content(lease)):
                    found.add(queue_id)
            return found
        finally:
            await spool.close()


def _id(text: bytes) -> str:
    """The queue id that a message was acknowledged with: the first of ours, from below."""
    found = QUEUE_ID.findall(text)
    return found[-1].decode() if found else ""


def _send(port: int, recipient: str, *lines: str) -> None:
    """Until it is taken."""
    with Talk(port, timeout_s=60) as talk:
        talk.greet()
        reply = ""
        while not reply.startswith("250 2.0.0 Ok: queued as "):
            assert not reply or reply.startswith("452 4.3.1 "), reply
            talk.begin("a@sender.example", recipient).say("DATA", "354 *")
            talk.send("Subject: x", "", *lines, END.decode(), ".")
            reply = talk.reply()


@pytest.fixture
def scene(home: Home) -> Iterator[Scene]:
    if shutil.which("strace") is None:
        pytest.skip("needs strace: install the package strace")
    # the courier writes as nobody when root started it: a place that everybody can reach
    places = Path(tempfile.mkdtemp(prefix="waypost-"))
    places.chmod(0o1777)
    with NextHop() as hop:
        yield Scene(home, hop, places)
    shutil.rmtree(places)


def test_no_power_cut_loses_what_was_acknowledged(scene: Scene) -> None:
    assert next(scene.losses(scene.play("delivery", "serve")), None) is None
    assert len(scene.acknowledged) == 14


@pytest.mark.parametrize("way", [way for way in WAYS if way != "second_try"])
def test_carelessness_is_found_out(scene: Scene, way: str) -> None:
    assert any(scene.losses(scene.play("tests.wire.careless", way)))


def test_a_sync_that_failed_is_not_believed_later(scene: Scene) -> None:
    assert next(scene.losses(scene.play("delivery", "serve", options=FAILING)), None) is None
    assert len(scene.acknowledged) == 14


def test_who_believes_a_second_try_is_found_out(scene: Scene) -> None:
    assert any(scene.losses(scene.play("tests.wire.careless", "second_try", options=FAILING)))
