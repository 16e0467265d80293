"""kill -9 of any process at random moments under load: what was acknowledged is delivered.

Short in the suite. By hand, thousands of messages (docs/DEVELOPING.md):
WAYPOST_FAULTS=long script/test tests/wire/test_crash.py
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import secrets
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Self

import psutil
import pytest

from tests.tables.writing.records import domain, table
from tests.wire.engine import ROOT, Home, Running
from tests.wire.load import Load
from tests.wire.nexthop import NextHop
from tests.wire.polling import eventually

IS_LONG = os.environ.get("WAYPOST_FAULTS") == "long"
BOXES = 4
AT_ONCE = 20  # default_destination_concurrency_limit
DESTINATIONS = 3  # mailboxes of a domain, a server, a file
NAME = re.compile(rb"^Subject: (m\d+\.\d+)\r?$", re.MULTILINE)
END = re.compile(rb"^End: (m\d+\.\d+)\r?$", re.MULTILINE)


class Bare(Running):
    """The engine by itself: all its processes, and its courier."""

    def start(self) -> Self:
        """Start it, and learn without which processes it ends."""
        super().start()
        self._needed = set(self.pids())
        if os.geteuid() == 0:  # its courier has rights that only a new start gives
            self._needed |= {each.pid for each in psutil.Process(self.process.pid).children()}  # type: ignore[union-attr]
        return self

    def processes(self) -> list[psutil.Process]:
        """Whom to kill; the process with the queue twice as often as the others."""
        assert self.process is not None
        process = psutil.Process(self.process.pid)
        return [process, process, *alive(process.children())]

    def recover(self, victim: psutil.Process) -> None:
        """Start again what nobody else starts."""
        assert self.process is not None
        if victim.pid in self._needed:
            self.process.wait(60)
            self.start()

    def renew(self) -> None:
        """An orderly restart: a courier that had root's rights comes back with it."""
        self.terminate()
        assert self.wait() == 0
        self.start()


class Served(Running):
    """The same engine below script/serve: guard, supervisor, all of the engine, courier."""

    def spawn(self) -> None:
        """Start all of it, as a user would."""
        variables = {"WAYPOST_HOME": str(self.home.path), "WAYPOST_SMTP": f"127.0.0.1:{self.port}"}
        clean = {key: value for key, value in os.environ.items() if not key.startswith("WAYPOST")}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(ROOT / "script/serve"), "--only", "engine"],
                env={**clean, **variables},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def processes(self) -> list[psutil.Process]:
        """Whom to kill."""
        assert self.process is not None
        guard = psutil.Process(self.process.pid)
        return [guard, *alive(guard.children(recursive=True))]

    def recover(self, victim: psutil.Process) -> None:
        """Without guard or supervisor all ends and is started again; they start the others."""
        assert self.process is not None
        if victim.pid == self.process.pid or victim.pid in self._supervisors:
            self.process.wait(60)
            self.start()
        else:
            eventually(self._is_ready, within_s=60, what="an engine that is back")

    def start(self) -> Self:
        """Start it, and learn who is the supervisor."""
        super().start()
        assert self.process is not None
        self._supervisors = {child.pid for child in psutil.Process(self.process.pid).children()}
        return self

    def renew(self) -> None:
        """Stop as by Ctrl-C, and start."""
        self.terminate()
        assert self.wait(60) == 0
        self.start()

    def __exit__(self, *_: object) -> None:
        assert self.process is not None
        self.terminate()
        self.wait(60)


class Places:
    """Where mail goes: Maildirs, another server, and a file that the courier writes."""

    def __init__(self, home: Home, hop: NextHop, file: Path) -> None:
        self._home = home
        self._hop = hop
        self._file = file

    def publish(self) -> None:
        """The generation that leads there."""
        self._home.publish(
            values={
                "alias_maps": "hash:aliases",
                "myorigin": "here.example",
                "transport_maps": f"inline:{{far.example=smtp:[127.0.0.1]:{self._hop.port}}}",
                "mailbox_size_limit": "0",
                "mynetworks": "127.0.0.0/8",
            },
            mailboxes=[f"box{number}@example.com" for number in range(BOXES)],
            domains=[domain("here.example", "local")],
            tables=[table("aliases", {"file": str(self._file)}, kind="aliases")],
        )

    def recipients(self, number: int) -> list[str]:
        """Of that message."""
        found = [f"box{number % BOXES}@example.com", "x@far.example"]
        return found if number % 4 else [*found, "file@here.example"]  # a process for each

    def arrived(self) -> dict[str, Counter[str]]:
        """How often each message has arrived, by recipient."""
        found = {
            address: Counter(_whole(self._home.letters(address)))
            for address in (f"box{number}@example.com" for number in range(BOXES))
        }
        found["x@far.example"] = Counter(_whole(taken.data for taken in list(self._hop.taken)))
        # an append that was killed leaves the beginning of a message: only ends count
        data = self._file.read_bytes() if self._file.exists() else b""
        found["file@here.example"] = Counter(_names(data))
        return found


def _names(data: bytes) -> list[str]:
    """Names of the messages whose ends are there."""
    return [name.decode() for name in END.findall(data)]


def _whole(letters: Iterable[bytes]) -> Iterator[str]:
    """Names of messages that are there from beginning to end."""
    for letter in letters:
        [name], [end] = NAME.findall(letter), _names(letter)
        assert name.decode() == end
        yield end


@pytest.fixture
def places(home: Home) -> Iterator[Places]:
    # the courier writes as nobody when root started it: a place that everybody can reach
    directory = Path(tempfile.mkdtemp(prefix="waypost-"))
    directory.chmod(0o1777)
    with NextHop() as hop:
        made = Places(home, hop, directory / "mail")
        made.publish()
        yield made
    shutil.rmtree(directory)


def alive(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended."""
    found = []
    for each in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if each.status() != psutil.STATUS_ZOMBIE:
                found.append(each)
    return found


def strike(
    engine: Bare | Served, load: Load, dice: random.Random, *, steps: int
) -> psutil.Process | None:
    """kill -9 of one of its processes after so many steps; None when all was sent before."""
    victims: list[psutil.Process] = []

    def kill() -> None:
        victim = dice.choice(engine.processes())
        with contextlib.suppress(psutil.NoSuchProcess):  # a child of the courier, done meanwhile
            victim.kill()
        victims.append(victim)

    load.fuse.light(steps, kill)
    eventually(lambda: victims or load.is_over, within_s=300, what="a moment to strike")
    return victims[0] if victims else None


def run(
    engine: Bare | Served,
    places: Places,
    messages: int,
    kills: int,
    tell: Callable[[str, object], None],
) -> None:
    """Send so many messages, kill so many processes meanwhile, and look what has arrived."""
    seed = int(os.environ.get("WAYPOST_FAULTS_SEED") or secrets.randbelow(10**6))
    dice = random.Random(seed)
    load = Load(engine.port, messages=messages, clients=8, recipients=places.recipients, dice=dice)
    killed = 0
    with engine, load:
        for _ in range(kills):
            victim = strike(engine, load, dice, steps=dice.randrange(1, 5 * messages // kills))
            if victim is not None:
                killed += 1
                engine.recover(victim)
        eventually(lambda: load.is_over, within_s=1800)
        engine.renew()
        while not engine.is_idle():  # whoever met two kills waits for five minutes (recovery.py)
            assert not engine.ask("status")["queue"]["corrupt"]
            engine.ask("flush")
            eventually(lambda: not engine.ask("status")["queue"]["active"], within_s=1200)
        arrived = places.arrived()
    lost = [
        (name, address)
        for name, addresses in load.acknowledged.items()
        for address in addresses
        if not arrived[address][name]
    ]
    copies = [count for names in arrived.values() for count in names.values()]
    again = sum(copies) - len(copies)
    tell(
        "figures",
        f"seed={seed} acknowledged={len(load.acknowledged)} unanswered={len(load.unanswered)}"
        f" kills={killed} deliveries={sum(copies)} lost={len(lost)} twice={again}"
        f" most_copies={max(copies)}",
    )
    assert lost == []
    assert len(load.acknowledged) == messages
    assert again <= killed * AT_ONCE * (BOXES + 2)
    assert max(copies) <= 1 + killed


def test_mail_survives_a_killed_engine_and_courier(
    home: Home, places: Places, record_property: Callable[[str, object], None]
) -> None:
    messages, kills = (5000, 30) if IS_LONG else (200, 5)
    run(Bare(home), places, messages, kills, record_property)


def test_mail_survives_whatever_is_killed_below_script_serve(
    home: Home, places: Places, record_property: Callable[[str, object], None]
) -> None:
    messages, kills = (3000, 25) if IS_LONG else (60, 3)
    run(Served(home), places, messages, kills, record_property)
