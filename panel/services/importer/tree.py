"""tree - the directory that is imported, and the files that its paths mean.

RULES        the directory is /etc/postfix itself or a copy of it. A path of the configuration is
             looked for
             1. below the directory, when it lies in the configuration directory
             2. below the root, when the directory is <root>/etc/postfix
             3. where it says, when the directory is /etc/postfix itself or another one in /etc, or
                the path lies below the directory
             so a copy is complete or it says what is missing; it never takes this machine's files,
             not by a link and not by ".." either
             Relative paths count from the directory.
             Text is UTF-8; main.cf and master.cf in another code are read as Latin-1.
LIMITS       MAIN_BYTES of main.cf and master.cf; of a longer line of a source LINE_LENGTH
ERRORS       ImportProblem; OSError
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

USUAL = PurePosixPath("/etc/postfix")
MAIN_BYTES = 16 << 20
LINE_LENGTH = 1 << 20  # characters; no row takes so many


class ImportProblem(Exception):
    """Nothing can be imported from there; the text says why."""


class Tree:
    """The files of one import."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()
        if not (self.directory / "main.cf").is_file():
            raise ImportProblem(f"There is no main.cf in {directory}.")
        self.config_directory = USUAL  # as its own main.cf says
        parts = self.directory.parts
        self._root = self.directory.parents[1] if parts[-2:] == ("etc", "postfix") else None
        self._is_own = self.directory.parent == Path(USUAL).parent

    def locate(self, text: str) -> Path | None:
        """The regular file that a path of the configuration means; None when it is not there."""
        for candidate in self._candidates(PurePosixPath(text)):
            if candidate.is_file() and self._may_read(candidate):
                return candidate
        return None

    def is_folder(self, text: str) -> bool:
        """True for a path that means a folder of the configuration, not a file."""
        return any(candidate.is_dir() for candidate in self._candidates(PurePosixPath(text)))

    def _may_read(self, path: Path) -> bool:
        """False for a file of this machine that a copy leads to, by links or otherwise."""
        return self._is_own or path.resolve().is_relative_to(self._root or self.directory)

    def _candidates(self, path: PurePosixPath) -> Iterator[Path]:
        if not path.is_absolute():
            yield self.directory / path
            return
        for place in (self.config_directory, USUAL):
            if path.is_relative_to(place):
                yield self.directory / path.relative_to(place)
        if self._root is not None:
            yield self._root / path.relative_to("/")
        if self._is_own or path.is_relative_to(self.directory):
            yield Path(path)

    def shown(self, path: Path) -> str:
        """A file's name for the report."""
        if path.is_relative_to(self.directory):
            return str(path.relative_to(self.directory))
        return str(path)

    def text(self, name: str) -> str | None:
        """The text of a file of the directory; None when it is not there."""
        path = self.directory / name
        if not path.exists():
            return None
        if not path.is_file() or not self._may_read(path):
            raise ImportProblem(f"{path} is no regular file of the directory.")
        with path.open("rb") as stream:
            data = stream.read(MAIN_BYTES + 1)
        if len(data) > MAIN_BYTES:
            raise ImportProblem(f"{path} is larger than {MAIN_BYTES >> 20} MiB.")
        try:
            return data.decode("utf-8-sig")  # an editor may have put a mark before it
        except UnicodeDecodeError:
            return data.decode("latin-1")


def source_lines(path: Path) -> Iterator[str]:
    """The lines of a table's source, without their ends; bytes that are not UTF-8 escaped."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as stream:
        while line := stream.readline(LINE_LENGTH):
            yield line.removesuffix("\n")
            while len(line) == LINE_LENGTH and not line.endswith("\n"):
                line = stream.readline(LINE_LENGTH)
