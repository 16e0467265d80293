"""mail - messages a second, beside Postfix: accepted, discarded, into Maildirs, on to a next hop.

PARTS        discard  accepted, durable before the 250, and thrown away
             maildir  delivered into a hundred Maildirs
             relay    sent on to another server on this machine
             backlog  discard, with 1,000 to 100,000 deferred messages in the queue
RULES        the same is asked of both (setting.py): restrictions, a virtual alias for each
             recipient, log and journal on, fsync before 250. They take turns, run by run; medians.
             Processor time and memory are the server's own, all its processes
SOURCE       docs/PERFORMANCE.md says how to read it and what was seen
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench_cases.figures import Figures, median
from bench_cases.load import Load, Sink, find, send
from bench_cases.postfix import PostfixServer
from bench_cases.setting import ENTRIES, RECIPIENT, Setting
from bench_cases.waypost import WaypostServer

PARTS = ("discard", "maildir", "relay", "backlog")
DELIVERED_S = 120.0
POLL_S = 0.02
Server = WaypostServer | PostfixServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is done."""

    loads: tuple[Load, ...] = tuple(
        Load(messages=3000 if size == 4096 else 1500, size=size, sessions=sessions)
        for size in (4096, 65536)
        for sessions in (20, 100)
    )
    backlogs: tuple[int, ...] = (1000, 10_000, 100_000)
    runs: int = 3
    warm_up: int = 300


QUICK = Sizes(loads=(Load(messages=200, sessions=5),), backlogs=(200,), runs=1, warm_up=20)


@dataclass(frozen=True, slots=True)
class Run:
    """One load, until all of it was delivered."""

    rate: float  # messages/s until all are delivered
    accept_rate: float
    cpu_ms: float  # of the server, a message


def run(work: Path, figures: Figures, parts: Sequence[str], *, quick: bool) -> None:
    """Measure the parts."""
    if find("smtp-source") is None:
        raise SystemExit("script/bench mail needs smtp-source and smtp-sink (Debian: postfix)")
    bench = Bench(work, figures, QUICK if quick else Sizes())
    for part in parts:
        if part == "backlog":
            bench.backlog()
        else:
            bench.mode(part)


class Bench:
    """One run of the benchmark."""

    def __init__(self, work: Path, figures: Figures, sizes: Sizes) -> None:
        work.chmod(0o755)  # Postfix's processes have users of their own
        # ext4: the folders below it lie far from each other. Without a journal it passes over
        # inodes that were freed a moment ago, one server's where the other one looks for one
        if program := shutil.which("chattr"):
            subprocess.run([program, "+T", work], check=False, stderr=subprocess.DEVNULL)
        self._work = work
        self._figures = figures
        self._sizes = sizes
        self._started = 0  # how often both were: each time in folders of their own

    def mode(self, mode: str) -> None:
        """All loads of one mode."""
        with ExitStack() as stack:
            sink = stack.enter_context(Sink())
            servers = self._start(stack, Setting.of(mode, sink.port))
            for load in self._sizes.loads:
                text = f"{mode}, {load.size // 1024} KiB, {load.sessions} sessions"
                self._compare(text, servers, load)

    def backlog(self) -> None:
        """How a full queue slows accepting and delivering down."""
        load = self._sizes.loads[0]
        for count in self._sizes.backlogs:
            with ExitStack() as stack:
                servers = self._start(stack, Setting.of("backlog", 0))
                for server in servers:
                    self._figures.say(f"{server.name}: {count:,} messages to be deferred")
                    for start in range(0, count, ENTRIES - 1):
                        some = min(ENTRIES - 1, count - start)
                        _measure(server, Load(messages=some, size=1024, sessions=50))
                self._compare(f"{count:,} deferred, {load.size // 1024} KiB", servers, load,
                              recipient=f"{RECIPIENT.partition('@')[0]}@gone.test")  # fmt: skip

    def _start(self, stack: ExitStack, setting: Setting) -> list[Server]:
        """Both servers, or ours alone."""
        servers: list[Server] = []
        self._started += 1
        kinds: list[type[Server]] = [WaypostServer]
        if find("postfix") and os.geteuid() == 0:  # postfix(1) is root's
            kinds.append(PostfixServer)
        for kind in kinds:
            server: Server = kind(self._work / f"{kind.name}-{self._started}", setting)
            stack.enter_context(server)
            servers.append(server)
        return servers

    def _compare(
        self, text: str, servers: Sequence[Server], load: Load, recipient: str = RECIPIENT
    ) -> None:
        self._figures.say(f"{text}: {load.messages:,} messages, {self._sizes.runs} runs each")
        warm_up = Load(messages=self._sizes.warm_up, size=load.size, sessions=load.sessions)
        for server in servers:
            _measure(server, warm_up, recipient)
            server.meter.reset()
        runs: dict[str, list[Run]] = {server.name: [] for server in servers}
        for _ in range(self._sizes.runs):
            for server in servers:
                runs[server.name].append(_measure(server, load, recipient))
        ours, *peer = (
            (
                median(each.rate for each in runs[server.name]),
                median(each.accept_rate for each in runs[server.name]),
                median(each.cpu_ms for each in runs[server.name]),
                server.meter.peak_mib,
            )
            for server in servers
        )
        units = ("messages/s", "messages/s", "ms", "MiB")
        names = ("until delivered", "accepted", "processor time a message", "peak memory")
        for place, (name, unit) in enumerate(zip(names, units, strict=True)):
            other = peer[0][place] if peer else None
            self._figures.add(f"{text}: {name}", unit, ours[place], other)


def _measure(server: Server, load: Load, recipient: str = RECIPIENT) -> Run:
    """Send, and wait until nothing is under way; what came into Maildirs is counted.

    It stays there, as mail does, until the whole benchmark has ended.
    """
    before = server.letters()
    used, started = server.meter.cpu_s(), time.perf_counter()
    sent = send(server.port, load, recipient)
    while not server.is_empty():
        if time.perf_counter() - started > DELIVERED_S + sent.seconds:
            raise SystemExit(f"{server.name} did not deliver within {DELIVERED_S:.0f} s")
        time.sleep(POLL_S)
    seconds, used = time.perf_counter() - started, server.meter.cpu_s() - used
    count = server.letters() - before
    if count and count != load.messages:
        raise SystemExit(f"{server.name} delivered {count} of {load.messages} messages")
    return Run(load.messages / seconds, load.messages / sent.seconds, used / load.messages * 1000)
