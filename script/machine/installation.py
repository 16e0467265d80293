"""installation - the virtual environment of a clone, made once from the pinned lists.

SUMMARY      set_up(root, with_tests=...) -> 0, and prints the path of its python on stdout;
             everything for people goes to stderr
RULES        made with the python that runs this (find-python chose it); where that one has pip but
             not ensurepip, as Debian's without python3-venv, its own pip installs from outside
             .venv in the clone; below ~/.cache/waypost where the clone cannot be written or has one
             of another user whose Python is closed to us: two users do not replace it in turn.
             .venv/waypost.json is written last and says what was installed: without it, or with
             other lists, another interpreter or another place, the environment is made anew. So a
             torn set-up is noticed. Two set-ups at once: the second waits for the first.
             Wheels only, no dependency that is not in the lists (--no-deps, then pip check).
ERRORS       MachineError with the last thing that pip said
SOURCE       docs/decisions/0010
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from machine.errors import MachineError
from machine.linux import die_with_parent

RUNTIME, TESTS = "requirements.txt", "requirements-test.txt"
STAMP = "waypost.json"
INSTALL = (
    "install", "--no-deps", "--only-binary", ":all:", "--no-input",
    "--disable-pip-version-check", "--no-warn-script-location", "--progress-bar", "off",
)  # fmt: skip


def set_up(root: Path, *, with_tests: bool) -> int:
    """Have an environment with everything in it; print its python."""
    die_with_parent(signal.SIGINT, os.getppid())  # the script that was told to end
    try:
        print(Installation(root).ready(with_tests=with_tests))
    except MachineError as error:
        print(f"waypost: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nwaypost: set-up interrupted; the next start begins it anew", file=sys.stderr)
        return 130
    return 0


class Installation:
    """The virtual environment of one clone."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = self._choose_folder()
        self.python = self.folder / "bin" / "python"

    def ready(self, *, with_tests: bool) -> Path:
        """The environment's python, after making whatever was missing."""
        # what was there, or on its way, comes again when all is made anew
        stamp = self._read_stamp()
        with_tests = with_tests or TESTS in {*stamp, *stamp.get("installing", "").split()}
        wanted = (RUNTIME, TESTS) if with_tests else (RUNTIME,)
        if self.missing(wanted):
            with _held(self._lock_folder()):
                missing = self.missing(wanted)  # another set-up may have been faster
                if RUNTIME in missing:
                    self._make()
                for place, name in enumerate(missing):
                    self._install(name, missing[place:])
        return self.python

    def missing(self, wanted: Sequence[str]) -> list[str]:
        """The lists that are not installed as they are now."""
        stamp = self._read_stamp()
        if stamp.get("place") != str(self.folder) or stamp.get("python") != self._version():
            return list(wanted)
        if stamp.get(RUNTIME) != self._digest(RUNTIME) or "installing" in stamp:
            return list(wanted)
        return [name for name in wanted if stamp.get(name) != self._digest(name)]

    def _make(self) -> None:
        version = ".".join(map(str, sys.version_info[:3]))
        _say(f"making {self.folder} with Python {version}; this happens once")
        try:
            if self.folder.exists():
                self._remove_stamp()
                shutil.rmtree(self.folder)
            self.folder.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MachineError(
                f"{error.filename} cannot be replaced ({error.strerror}): remove {self.folder} as"
                " the user who made it"
            ) from error
        without_pip = () if find_spec("ensurepip") else ("--without-pip",)
        done = subprocess.run(
            (sys.executable, "-I", "-m", "venv", *without_pip, str(self.folder)),
            preexec_fn=_end_with_us(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise MachineError(f"python -m venv failed: {said[-1] if said else 'no reason given'}")

    def _install(self, name: str, coming: Sequence[str]) -> None:
        """Install one of the lists that are coming; a torn set-up knows all of them."""
        started = time.monotonic()
        lists = self.root / name
        count = sum(1 for line in lists.read_text().splitlines() if "==" in line.partition("#")[0])
        stamp = self._read_stamp()
        self._write_stamp({**stamp, "installing": " ".join(coming)})
        _say(f"installing {name} ({count} packages)")
        self._run_pip(lists, count)
        self._check()
        stamp.update(place=str(self.folder), python=self._version())
        stamp[name] = self._digest(name)
        self._write_stamp(stamp)
        _say(f"installed {name} in {time.monotonic() - started:.0f} s")

    def _run_pip(self, lists: Path, count: int) -> None:
        with subprocess.Popen(
            (*self._pip(), *INSTALL, "-r", str(lists)),
            preexec_fn=_end_with_us(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as pip:
            assert pip.stdout is not None
            said = list(_show_progress(pip.stdout, count))
        if pip.returncode:
            errors = [line for line in said if line.startswith("ERROR:")] or said
            reason = errors[-1].strip() if errors else f"status {pip.returncode}"
            raise MachineError(
                f"pip could not install {lists.name}: {reason.removeprefix('ERROR: ')}"
                " (is the package index reachable?)"
            )

    def _pip(self) -> tuple[str, ...]:
        """The environment's own pip, or that of the python it is made with."""
        if (self.folder / "bin" / "pip").exists():
            return (str(self.python), "-I", "-m", "pip")
        # from an environment, that of the python behind it
        base: str = getattr(sys, "_base_executable", sys.executable)
        return (base, "-I", "-m", "pip", "--python", str(self.python))

    def _check(self) -> None:
        done = subprocess.run(
            (*self._pip(), "check", "--disable-pip-version-check"),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise MachineError(f"the pinned packages do not fit: {done.stdout.strip()}")

    # --- what is known ----------------------------------------------------------------------------

    def _choose_folder(self) -> Path:
        inside = self.root / ".venv"
        if not _is_hidden(inside / "bin" / "python") and (
            os.access(self.root, os.W_OK) or (inside / STAMP).is_file()
        ):
            return inside
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        place = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        return Path(cache) / "waypost" / place

    def _lock_folder(self) -> Path:
        """A folder that is there before the environment is: flock(2) takes folders, too."""
        if self.folder.parent != self.root:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
        return self.folder.parent

    def _version(self) -> str:
        """The interpreter that the environment was made with, read without starting it."""
        try:
            lines = (self.folder / "pyvenv.cfg").read_text().splitlines()
        except FileNotFoundError:
            return ""
        found = dict(line.split(" = ", 1) for line in lines if " = " in line)
        alive = self.python.exists()  # a link to an interpreter that may have been removed
        return f"{found.get('version')} {found.get('home')}" if alive else ""

    def _digest(self, name: str) -> str:
        return hashlib.sha256((self.root / name).read_bytes()).hexdigest()

    def _read_stamp(self) -> dict[str, str]:
        try:
            stamp = json.loads((self.folder / STAMP).read_text())
        except (OSError, json.JSONDecodeError):
            return {}
        return stamp if isinstance(stamp, dict) else {}

    def _write_stamp(self, stamp: dict[str, str]) -> None:
        aside = self.folder / f"{STAMP}.new"
        aside.write_text(json.dumps(stamp, indent=1) + "\n")
        aside.replace(self.folder / STAMP)

    def _remove_stamp(self) -> None:
        (self.folder / STAMP).unlink(missing_ok=True)


def _is_hidden(python: Path) -> bool:
    """Whether it is there, but behind a folder that is closed to us: another user's."""
    try:
        python.stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def _end_with_us() -> Callable[[], None]:
    """What a new process does to end when this one does."""
    return functools.partial(die_with_parent, signal.SIGTERM, os.getpid())


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold the lock on a folder, after waiting for it."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another set-up of this clone is under way; waiting for it")
            fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def _show_progress(output: Iterable[str], count: int) -> Iterator[str]:
    """Pass on what pip says, and tell people how far it is: one line on a terminal."""
    collected = 0
    for line in output:
        yield line
        if line.startswith("Collecting "):
            collected += 1
            _show(f"  fetching {collected} of {count}: {line.split()[1].partition('=')[0]}")
        elif line.startswith("Installing collected packages"):
            _show(f"  unpacking {count} packages")
    _show("")


def _show(text: str) -> None:
    """Show a passing state; only a terminal can take it back."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def _say(text: str) -> None:
    print(f"waypost: {text}", file=sys.stderr, flush=True)
