"""tables - lookup tables beside postmap: building, memory, look-ups, patterns, edit to live.

PARTS        regexp  regexp and pcre: a look-up in tables of 10 to 5,000 rules, and opening them
             cidr    a look-up in tables of 100 and 10,000 networks
             lookup  hash: look-ups a second through the engine's own door, tables.reading.lookup:
                     Maps.get, which answers what postmap -q does, and Maps.find, which is given a
                     list of keys and says which of them was found, and where; and the two
                     commands postmap -q -
             build   a full compile out of Postgres, against "postmap cdb:" of the same map
             edit    from the REST request for one new entry to the engine that takes mail for it;
                     the peer's figure is "postmap cdb:" of the map, what such an edit costs there
             bulk    the same for many entries in one request, as JSON and as CSV
RULES        a part that fails is told, and the others go on; the exit status is 1 then
             ours and the peer's take turns; medians. Look-ups are measured in CPU time, which the
             rest of the machine disturbs least; the peer's for starting and opening is taken off.
             All else goes by the clock
             build, edit and bulk start a Waypost of their own (house.py)
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench_cases import sample
from bench_cases.figures import Figures, median, percentile
from bench_cases.house import ROOT, House
from bench_cases.peer import Peer, Run, memory_kib, middle, run_measured
from tables.formats.reference import open_source
from tables.reading.lookup import Maps
from tables.reading.snapshot import Snapshot
from tables.writing.compiler import compile_rows
from tables.writing.rows import EntryRecord, Rows, TableRecord
from tables.writing.store import Store

PARTS = ("regexp", "cidr", "lookup", "build", "edit", "bulk")
EDIT_BUDGET_S = 40.0  # no more edits than fit, but FEWEST_EDITS
FEWEST_EDITS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is done."""

    rules: tuple[int, ...] = (10, 100, 1000, 5000)
    networks: tuple[int, ...] = (100, 10_000)
    entries: tuple[int, ...] = (100_000, 1_000_000)
    edited: tuple[int, ...] = (1000, 1_000_000)
    asked: int = 200_000  # keys of hash tables
    edits: int = 40
    bulk: int = 100_000
    runs: int = 3
    turns: int = 7  # of look-ups in hash tables, which take no time but are easily disturbed


QUICK = Sizes(
    rules=(10, 100), networks=(100,), entries=(2000,), edited=(1000,),
    asked=5000, edits=5, bulk=1000, runs=1, turns=3,
)  # fmt: skip


def run(work: Path, figures: Figures, parts: Sequence[str], *, quick: bool) -> None:
    """Measure the parts."""
    bench = Bench(work, figures, QUICK if quick else Sizes())
    bench.measure(parts)


class Bench:
    """One run of the benchmark."""

    def __init__(self, work: Path, figures: Figures, sizes: Sizes) -> None:
        self.work = work
        self.figures = figures
        self.sizes = sizes
        self.peer = Peer.find(work / "postfix")
        if self.peer is None:
            figures.say("no postmap here (Debian: postfix, postfix-cdb, postfix-pcre): ours alone")
        self._built: dict[int, Run | None] = {}  # the peer's, by size
        self.failed: list[str] = []

    def measure(self, parts: Sequence[str]) -> None:
        """Each part in turn; those that need a whole Waypost share one."""
        alone: dict[str, Callable[[], None]] = {
            "regexp": self.regexp,
            "cidr": self.cidr,
            "lookup": self.lookup,
        }
        for part in parts:
            if part in alone:
                self._try(part, alone[part])
        if {"build", "edit", "bulk"} & set(parts):
            self._try("build, edit, bulk", lambda: self._with_house(parts))
        if self.failed:
            raise SystemExit(f"could not be measured: {'; '.join(self.failed)}")

    def _try(self, part: str, measure: Callable[[], None]) -> None:
        try:
            measure()
        except (SystemExit, OSError, subprocess.SubprocessError) as error:
            self.figures.say(f"{part} FAILED: {error}")
            self.failed.append(part)

    def _with_house(self, parts: Sequence[str]) -> None:
        with House(self.work) as house:
            self.house(house, parts)

    # -- tables of patterns -----------------------------------------------------------------------

    def regexp(self) -> None:
        """regexp and pcre."""
        for table_type in ("regexp", "pcre"):
            for count in self.sizes.rules:
                self.figures.say(f"{table_type}: {count} rules")
                asked = max(400, min(100_000, 4_000_000 // count))
                text = "".join(sample.patterns(count))
                keys = {
                    "the key matches a rule": sample.pattern_keys(count, asked, hit=True),
                    "no rule matches": sample.pattern_keys(count, asked, hit=False),
                }
                self._patterns(table_type, count, text, keys)

    def cidr(self) -> None:
        """cidr."""
        for count in self.sizes.networks:
            self.figures.say(f"cidr: {count} networks")
            keys = sample.network_keys(count, max(400, min(100_000, 40_000_000 // count)))
            self._patterns("cidr", count, "".join(sample.networks(count)), {"half match": keys})

    def _patterns(self, table_type: str, count: int, text: str, keys: dict[str, list[str]]) -> None:
        path = self._write(f"{table_type}{count}", text)
        started = time.process_time()
        maps = Maps([(f"{table_type}:x", open_source(table_type, text))])
        opened_ms = (time.process_time() - started) * 1000
        opening_ms = None
        for what, asked in keys.items():
            ours, theirs, opening = self._by_turns(
                maps.get, f"{table_type}:{path}", asked, asked, self.sizes.runs
            )
            opening_ms = None if opening is None else opening * 1000
            case = f"{table_type}, {count:,} rules: a look-up, {what}"
            self.figures.add(case, "us", ours * 1e6, None if theirs is None else theirs * 1e6)
        self.figures.add(f"{table_type}, {count:,} rules: opening", "ms", opened_ms, opening_ms)

    def _by_turns(
        self,
        ask: Callable[[Any], object],
        reference: str,
        keys: list[str],
        asked: Sequence[Any],
        turns: int,
    ) -> tuple[float, float | None, float | None]:
        """CPU seconds of a look-up, ours and the peer's, and of the peer's start and opening.

        `asked` are the keys as our door takes them.
        """
        file = self._write("keys", "".join(f"{key}\n" for key in keys))
        ours, whole, opening = [], [], []
        for _ in range(turns):
            ours.append(_cpu_seconds(ask, asked))
            if self.peer:
                opening.append(self.peer.ask(reference, None).cpu)
                whole.append(self.peer.ask(reference, file).cpu)
        if not self.peer:
            return median(ours) / len(keys), None, None
        answering = max(median(whole) - median(opening), 1e-6)
        return median(ours) / len(keys), answering / len(keys), median(opening)

    # -- hash tables ------------------------------------------------------------------------------

    def lookup(self) -> None:
        """Look-ups in process, and by the commands."""
        for count in self.sizes.entries:
            self.figures.say(f"hash: making a table of {count:,} entries")
            home = self.work / f"lookup{count}"
            home.mkdir()
            source = self._source(count)
            publish(home / "maps", count)
            self._peer_build(count)
            maps = Snapshot.open(home / "maps").maps("hash:virtual")
            for what, hit in (("found", True), ("absent", False)):
                keys = sample.keys(count, self.sizes.asked, hit=hit)
                doors = {"get": (maps.get, keys), "find": (maps.find, [(key,) for key in keys])}
                for door, (ask, asked) in doors.items():
                    ours, theirs, _ = self._by_turns(
                        ask, f"cdb:{source}", keys, asked, self.sizes.turns
                    )
                    case = f"hash, {count:,} entries: in process, Maps.{door}, {what}"
                    peer = None if theirs is None else 1 / theirs
                    self.figures.add(case, "look-ups/s", 1 / ours, peer)
                self._commands(home, source, f"{len(keys):,} of {count:,} keys, {what}")

    def _commands(self, home: Path, source: Path, what: str) -> None:
        """python -m delivery postmap -q - against postmap -q -, start and all, by the clock."""
        command = (sys.executable, "-m", "delivery", "postmap", "-q", "-", "hash:virtual")
        environment = {"WAYPOST_HOME": str(home), "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}
        keys = self.work / "keys"
        ours, theirs = [], []
        for _ in range(self.sizes.runs):
            run = run_measured(command, stdin=keys, env=environment, cwd=ROOT)
            ours.append(run.seconds)
            if self.peer:
                theirs.append(self.peer.ask(f"cdb:{source}", keys).seconds)
        peer = median(theirs) if theirs else None
        self.figures.add(f"command postmap -q -, {what}", "s", median(ours), peer)

    def _source(self, count: int) -> Path:
        """The map's source text for the peer."""
        path = self.work / f"virtual{count}"
        if not path.exists():
            self._write(path.name, (f"{key} {value}\n" for key, value in sample.entries(count)))
        return path

    def _peer_build(self, count: int) -> Run | None:
        """ "postmap cdb:", measured once for each size."""
        if self.peer is None:
            return None
        if count not in self._built:
            source = self._source(count)
            runs = [self.peer.build("cdb", source) for _ in range(self.sizes.runs)]
            self._built[count] = middle(runs)
        return self._built[count]

    # -- the whole way ----------------------------------------------------------------------------

    def house(self, house: House, parts: Sequence[str]) -> None:
        """Everything that needs rows, growing with each step."""
        house.api("POST", "domains/", {"name": sample.DOMAIN, "kind": "virtual_alias"})
        there = 0
        sizes = {*(self.sizes.entries if "build" in parts else ())}
        sizes |= {*(self.sizes.edited if "edit" in parts else ())}
        for count in sorted(sizes):
            self.figures.say(f"filling up to {count:,} rows")
            started = time.perf_counter()
            house.run_rows("fill", str(there), str(count - there))
            self.figures.say(f"  {time.perf_counter() - started:.1f} s, with their change records")
            there = count
            if "build" in parts and count in self.sizes.entries:
                self._build(house, count)
            if "edit" in parts and count in self.sizes.edited:
                self._edit(house, count)
        if "bulk" in parts:
            self._bulk(house, there)

    def _build(self, house: House, count: int) -> None:
        self.figures.say(f"compiling {count:,} rows")
        source = self._source(count)
        runs, peers = [], []
        for number in range(self.sizes.runs):
            folder = self.work / f"compiled{count}-{number}"
            runs.append(json.loads(house.run_rows("compile", str(folder))))
            shutil.rmtree(folder)
            if self.peer:
                peers.append(self.peer.build("cdb", source))
        peer = self._built[count] = middle(peers) if peers else None
        case = f"full compile of {count:,} rows out of Postgres"
        seconds = median(run["seconds"] for run in runs)
        self.figures.add(case, "s", seconds, peer and peer.seconds)
        cpu = median(run["cpu"] for run in runs)
        self.figures.add(f"{case}: CPU, Postgres apart", "s", cpu, peer and peer.cpu)
        peak = max(run["peak_mib"] for run in runs)
        self.figures.add(f"{case}: peak memory", "MiB", peak, peer and peer.peak_mib)
        resting = max(run["resting_mib"] for run in runs)
        self.figures.add(f"{case}: of it for the compile", "MiB", peak - resting, None)

    def _edit(self, house: House, count: int) -> None:
        self.figures.say(f"edits with {count:,} rows")
        self._one_edit(house, f"first-{count}")  # publishes what was filled in
        taken: list[float] = []
        begun = time.monotonic()
        while len(taken) < self.sizes.edits and (
            len(taken) < FEWEST_EDITS or time.monotonic() - begun < EDIT_BUDGET_S
        ):
            taken.append(self._one_edit(house, f"edit-{count}-{len(taken)}"))
        peer = self._peer_build(count)
        for percent in (50, 95):
            case = f"edit to live, {count:,} rows, p{percent} of {len(taken)}"
            self.figures.add(case, "s", percentile(taken, percent), peer and peer.seconds)
        memory = memory_kib(house.pid("engine"), "RssAnon") / 1024
        self.figures.add(f"engine with {count:,} rows: its own memory", "MiB", memory, None)

    def _one_edit(self, house: House, name: str) -> float:
        address = f"{name}@{sample.DOMAIN}"
        started = time.perf_counter()
        house.api("POST", "virtual-entries/", {"pattern": address, "destinations": ["a@b.example"]})
        house.wait_for(address)
        return time.perf_counter() - started

    def _bulk(self, house: House, there: int) -> None:
        count = self.sizes.bulk
        for form in ("JSON", "CSV"):
            self.figures.say(f"{count:,} rows by one REST call, as {form}")
            names = [f"{form.lower()}-{number}@{sample.DOMAIN}" for number in range(count)]
            if form == "CSV":
                lines = ["pattern,destinations", *(f"{name},a@b.example" for name in names), ""]
                body, content_type = "\n".join(lines).encode(), "text/csv"
            else:
                rows = [{"pattern": name, "destinations": ["a@b.example"]} for name in names]
                body, content_type = json.dumps(rows).encode(), "application/json"
            started = time.perf_counter()
            house.send("POST", "virtual-entries/bulk/", body, content_type)
            stored = time.perf_counter() - started
            house.wait_for(names[-1])
            live = time.perf_counter() - started
            case = f"{count:,} new rows beside {there:,}, one REST call, {form}"
            self.figures.add(f"{case}: stored", "s", stored, None)
            self.figures.add(f"{case}: live", "s", live, None)
            there += count

    def _write(self, name: str, text: str | Iterable[str]) -> Path:
        path = self.work / name
        with path.open("w", buffering=1 << 20) as file:
            file.writelines([text] if isinstance(text, str) else text)
        return path


def _cpu_seconds(ask: Callable[[Any], object], keys: Sequence[Any]) -> float:
    """How long the engine's door takes for all keys."""
    started = time.process_time()
    for key in keys:
        ask(key)
    return time.process_time() - started


def publish(root: Path, count: int) -> None:
    """A generation with a table of `count` entries, compiled without a database."""

    def entries() -> Iterable[EntryRecord]:
        for number, (key, value) in enumerate(sample.entries(count)):
            yield EntryRecord.of(key=key, value=value, row=f"entry:{number}", lookup_key=key)

    table = TableRecord(name="virtual", type="hash", kind="virtual", row="table:1", entries=entries)
    store = Store(root)
    with store.begin() as build:
        content, report = compile_rows(Rows(tables=(table,)), build)
        if not report.is_publishable:
            raise SystemExit(report.errors[0].message)
        build.finish(1, 1, content)
    store.switch(1)
