"""store - generations on disk: built aside, made durable, then switched to.

SUMMARY      begin() -> Build, its object() for each map, its finish() -> Manifest; then switch()
LAYOUT       objects/<sha256>                    one map file, never changed, shared by generations
             generations/<N>/manifest.json       what generation N consists of
             generations/<N>/notes.json          what the next compile wants to know: notes.py
             current -> generations/<N>          the generation in force
             lock                                held (flock) by whoever publishes or prunes
RULES        order of a publish, each step durable before the next: object files, their names, the
             manifest (in a directory with a temporary name), the name generations/<N>, the link.
             So a numbered directory always has its manifest and the manifest always its objects;
             killed or full at any step, the old generation is in force or the new one, whole.
             What a killed publisher left half-made has a name that begins with a dot, is looked at
             by nobody and is swept by the next one. One publisher builds at a time; switching and
             reading need no lock against it. Files 0600, directories 0700.
             Beside the publisher one other may make objects, at leisure (begin with `aside`): no
             manifest names them before the publisher writes it, and nothing is pruned meanwhile.
ERRORS       StoreBusy: another publisher builds or prunes; GenerationError: no such generation, or
             not whole, or the number is taken; OSError: the disk (the old one stays in force)
NOT DONE     choosing numbers: the caller takes one above `latest()` and above all it ever used
SOURCE       Postfix util/dict_cdb.c (build aside, rename), fsync(2), rename(2), symlink(7)
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from tables.errors import GenerationError, StoreBusy
from tables.manifest import (
    Content,
    Layer,
    Manifest,
    current_number,
    generation_numbers,
    generation_path,
    print_manifest,
    read_manifest,
)
from tables.objects import Objects, file_digest
from tables.writing.disk import Disk
from tables.writing.notes import Notes

NOTES_MOST = 64 * 1024 * 1024  # bytes of notes; see LIMITS in notes.py
PATIENCE_S = 1.0  # how long a publisher waits for one who prunes
PAUSE_S = 0.01


ASIDE = ".aside-"  # begins the temporary names of the one who builds beside the publisher


def utc_now() -> datetime:
    """The time that goes into a manifest."""
    return datetime.now(UTC)


class Store:
    """The generations below one directory (WAYPOST_HOME/maps)."""

    def __init__(
        self, root: Path, *, disk: Disk | None = None, now: Callable[[], datetime] = utc_now
    ) -> None:
        self.root = root
        self.disk = disk or Disk()
        self.now = now
        self.objects = Objects(root / "objects")
        self.generations = root / "generations"

    def begin(self, *, aside: bool = False) -> Build:
        """Take the store for building; use the result in a `with` statement.

        `aside`: beside the publisher, to make objects only.
        """
        self._make_directories()
        lock = self._lock_aside() if aside else self._lock(patience_s=PATIENCE_S)
        try:
            self._sweep(aside)
        except BaseException:
            os.close(lock)
            raise
        return Build(self, lock, ASIDE if aside else ".")

    def switch(self, number: int) -> Manifest:
        """Verify generation `number` in full and put it in force; durable on return."""
        with self._link_lock():
            manifest = self.verify(number)
            aside = self.root / ".current"
            self.disk.remove(aside)
            self.disk.link(aside, f"generations/{number}")
            self.disk.rename(aside, self.root / "current")
            self.disk.sync_directory(self.root)
        return manifest

    def current(self) -> Manifest | None:
        """The generation in force; None when there never was one."""
        number = current_number(self.root)
        return None if number is None else self.read(number)

    def read(self, number: int) -> Manifest:
        """The manifest of generation `number`; its objects are not looked at."""
        return read_manifest(self.root, number)

    def notes(self, number: int) -> Notes | None:
        """What was noted of generation `number`; None when nothing was, or it cannot be read."""
        try:
            with open(generation_path(self.root, number) / "notes.json", "rb") as stream:
                data = stream.read(NOTES_MOST + 1)
        except OSError:
            return None
        return Notes.from_bytes(data) if len(data) <= NOTES_MOST else None

    def verify(self, number: int) -> Manifest:
        """The manifest, after every object of it was verified by digest."""
        manifest = self.read(number)
        for table in manifest.content.tables.values():
            for layer in table.layers:
                self.objects.verify(layer.digest, layer.size)
        return manifest

    def numbers(self) -> list[int]:
        """The generations that are kept, oldest first."""
        return generation_numbers(self.root)

    def latest(self) -> int:
        """The highest number that is taken; 0 when none is."""
        return max(self.numbers(), default=0)

    def prune(self, keep: int) -> list[int]:
        """Remove all but the newest `keep` generations and the one in force; return what went.

        Objects go when no kept generation uses them. Who has an old generation open is not
        disturbed: its files stay until they are closed. StoreBusy while somebody builds.
        """
        if keep < 1:
            raise ValueError("at least one generation must be kept")
        if not self.generations.is_dir():
            return []
        with contextlib.ExitStack() as held:
            held.callback(os.close, self._lock())
            held.callback(os.close, self._lock_aside())
            with self._link_lock():
                return self._prune(keep)

    def _prune(self, keep: int) -> list[int]:
        current = current_number(self.root)
        numbers = self.numbers()
        kept = {*numbers[-keep:], *(() if current is None else (current,))}
        used: set[str] = set()
        for number in sorted(kept):
            try:
                content = self.read(number).content
            except GenerationError:
                if number == current:
                    raise  # its objects are not known, so nothing may go
                kept.discard(number)  # nobody can use it
            else:
                used.update(
                    layer.digest for table in content.tables.values() for layer in table.layers
                )
        gone = [number for number in numbers if number not in kept]
        for number in gone:
            aside = self.generations / f".{number}"
            self.disk.rename(generation_path(self.root, number), aside)
            self.remove_generation(aside)
        self.disk.sync_directory(self.generations)
        for name in os.listdir(self.objects.directory):
            if name not in used:
                self.disk.remove(self.objects.directory / name)
        return gone

    def _make_directories(self) -> None:
        for path in (self.root, self.generations, self.objects.directory):
            if self.disk.make_directory(path):
                self.disk.sync_directory(path.parent)

    def _sweep(self, aside: bool) -> None:
        """Remove what a killed one left; only the holder of the lock may."""
        for name in os.listdir(self.objects.directory):
            if name.startswith(".") and name.startswith(ASIDE) == aside:
                self.disk.remove(self.objects.directory / name)
        if aside:
            return
        for name in os.listdir(self.generations):
            if name.startswith("."):
                self.remove_generation(self.generations / name)

    def remove_generation(self, path: Path) -> None:
        """Remove the directory of a generation that has lost its name or never got it."""
        self.disk.remove(path / "manifest.json")
        self.disk.remove(path / "notes.json")
        self.disk.remove(path / ".notes")
        self.disk.remove_directory(path)

    def _lock(self, *, patience_s: float = 0.0) -> int:
        """The descriptor that holds the store; closing it lets go."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        return self._flock(os.open(self.root / "lock", flags, 0o600), patience_s)

    def _lock_aside(self) -> int:
        """The same for the one who builds beside the publisher."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        return self._flock(os.open(self.objects.directory, flags), 0.0)

    def _flock(self, lock: int, patience_s: float) -> int:
        deadline = time.monotonic() + patience_s
        try:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    if time.monotonic() >= deadline:
                        message = "another publisher is at work on the maps; try again"
                        raise StoreBusy(message) from error
                    time.sleep(PAUSE_S)
                else:
                    return lock
        except BaseException:
            os.close(lock)
            raise

    @contextlib.contextmanager
    def _link_lock(self) -> Iterator[None]:
        """Keeps prune from removing what is being switched to; held so briefly that one waits."""
        try:
            directory = os.open(self.generations, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise GenerationError("no generation was ever published here") from error
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            yield
        finally:
            os.close(directory)


class Build:
    """A generation in the making; leaving the `with` block lets go of the store."""

    def __init__(self, store: Store, lock: int, prefix: str) -> None:
        self.store = store
        self._disk = store.disk
        self._lock = lock
        self._prefix = prefix
        self._made = 0
        self.created = store.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.notes: Notes | None = None  # of what was compiled last; kept by finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._lock)

    @property
    def scratch(self) -> Path:
        """A directory on the disk of the store for unnamed temporary files."""
        return self.store.objects.directory

    def path(self, digest: str) -> Path:
        """Where an object of this store lies, for reading it."""
        return self.store.objects.path(digest)

    def object(self, data: bytes, *, count: int) -> Layer:
        """The layer whose file holds `data`."""

        def write(path: Path) -> int:
            descriptor = self._disk.create(path)
            try:
                self._disk.write(descriptor, data)
            finally:
                os.close(descriptor)
            return count

        return self.write_object(write)

    def write_object(self, write: Callable[[Path], int]) -> Layer:
        """The layer whose file `write` makes at a path; it returns the number of entries.

        Content that is in the store already is not stored again: its file is known to the engines.
        """
        self._made += 1
        aside = self.store.objects.directory / f"{self._prefix}{self._made}"
        try:
            count = write(aside)
            descriptor = os.open(aside, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                return self._keep(aside, descriptor, count)
            finally:
                os.close(descriptor)
        except BaseException:
            with contextlib.suppress(OSError):  # the first error is the one to hear about
                self._disk.remove(aside)
            raise

    def _keep(self, aside: Path, descriptor: int, count: int) -> Layer:
        """Make the file durable under the name of its content, unless a whole one is there."""
        objects = self.store.objects
        status = os.fstat(descriptor)
        layer = Layer(file_digest(descriptor), status.st_size, count)
        try:
            objects.verify(layer.digest, layer.size)
        except GenerationError:
            if stat.S_IMODE(status.st_mode) != 0o600:  # asked, for a change has to be synced too
                os.fchmod(descriptor, 0o600)
            self._disk.sync(descriptor)
            self._disk.rename(aside, objects.path(layer.digest))
            objects.remember(layer.digest, descriptor)
        else:
            self._disk.remove(aside)
        return layer

    def finish(self, number: int, revision: int, content: Content) -> Manifest:
        """Write generation `number`; durable on return, not yet in force.

        A number that is taken by the same content is taken as done (a publisher that was killed
        after this step comes again); taken by other content it is a GenerationError.
        """
        store, disk = self.store, self._disk
        place = generation_path(store.root, number)
        manifest = Manifest(
            number=number,
            created=self.created,
            revision=revision,
            digest=content.digest,
            content=content,
        )
        if place.exists():
            there = store.read(number)
            if there.digest != manifest.digest:
                raise GenerationError(f"generation {number} exists already, with other content")
            disk.sync_directory(store.generations)
            return there
        disk.sync_directory(store.objects.directory)
        aside = store.generations / f".{number}"
        try:
            self._write_manifest(aside, manifest)
            disk.rename(aside, place)
        except BaseException:
            with contextlib.suppress(OSError):  # the first error is the one to hear about
                store.remove_generation(aside)
            raise
        disk.sync_directory(store.generations)
        return manifest

    def keep_notes(self, number: int, content: Content) -> None:
        """Put the notes of this compile in the place of those of a generation that says the same.

        Killed half-way, the older notes are there. Without such a generation nothing is done.
        """
        place = generation_path(self.store.root, number)
        if self.notes is not None and place.exists():
            if self.store.read(number).digest != content.digest:
                return
            aside = place / ".notes"
            self._disk.remove(aside)
            self._write_file(aside, self.notes.to_bytes())
            self._disk.rename(aside, place / "notes.json")

    def _write_manifest(self, directory: Path, manifest: Manifest) -> None:
        self._disk.make_directory(directory)
        if self.notes is not None:
            self._write_file(directory / "notes.json", self.notes.to_bytes())
        self._write_file(directory / "manifest.json", print_manifest(manifest))
        self._disk.sync_directory(directory)

    def _write_file(self, path: Path, data: bytes) -> None:
        descriptor = self._disk.create(path)
        try:
            self._disk.write(descriptor, data)
            self._disk.sync(descriptor)
        finally:
            os.close(descriptor)
