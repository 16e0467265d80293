"""cdb - a constant hash file: how hash tables (and their aliases cdb, lmdb, btree, dbm) are stored.

SUMMARY      CdbBuilder streams entries into a file; CdbMap maps that file into memory and looks
             keys up
RULES        keys and values are UTF-8 without a trailing NUL, keys folded: the form that Postfix
             reads as `cdb:`. Files with a NUL after key and value (other makers) are understood
             when reading. Of equal keys the first added wins, as in postmap(1).
MEMORY       building: 12 bytes an entry; reading: none of its own, the pages are shared by all
             processes
ERRORS       OSError from building (disk full); TableUnavailable for a file that is no CDB, and for
             what cannot be read
NOT DONE     durability: whoever builds calls fsync (writing/store.py); files above 4 GiB (limit of
             the format)
SOURCE       https://cr.yp.to/cdb/cdb.txt, Postfix CDB_README
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import cdbx

from tables.errors import TableUnavailable
from tables.formats.base import Raw, fold_key

# The header: 256 pairs of 32 bit numbers.
HEADER_SIZE = 2048
AHEAD = 8 * 1024 * 1024  # bytes after which the system is asked to write them to the disk


class CdbBuilder:
    """Writes one CDB file at `path`, which must not exist yet (mode 0600).

    Leaving a `with` block before finish removes the file.
    """

    __slots__ = ("_begun", "_count", "_descriptor", "_maker", "_path")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begun = 0  # bytes that are on their way to the disk
        self._count = 0
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._maker = cdbx.CDB.make(self._descriptor, close=False, mmap=False)

    def add(self, key: str, value: str, /) -> None:
        """Store one entry; the key is folded here, so that writing and reading cannot differ."""
        self.add_encoded(fold_key(key).encode(), value.encode())

    def add_encoded(self, key: bytes, value: bytes, /) -> None:
        """Store one entry whose key is folded already, both sides in UTF-8."""
        self._maker.add(key, value)
        self._count += 1

    def add_all(self, keys: Sequence[bytes], values: Sequence[bytes], /) -> None:
        """Store many such entries."""
        deque(map(self._maker.add, keys, values), maxlen=0)
        self._count += len(keys)
        written = os.lseek(self._descriptor, 0, os.SEEK_CUR) - self._begun
        if written >= AHEAD:
            # Linux begins to write such pages out: little is left to wait for in the end.
            os.posix_fadvise(self._descriptor, self._begun, written, os.POSIX_FADV_DONTNEED)
            self._begun += written

    def finish(self) -> int:
        """Complete the file; return how many entries were added. The file is not synced."""
        self._maker.commit().close()
        os.close(self._descriptor)
        self._descriptor = -1
        return self._count

    def abort(self) -> None:
        """Throw away what was written; harmless after finish."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            self._path.unlink(missing_ok=True)

    def __enter__(self) -> CdbBuilder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abort()


class CdbMap:
    """One CDB file, mapped; it may be unlinked or replaced meanwhile without being noticed here."""

    __slots__ = ("_cdb", "_get", "_path", "_tail")

    is_pattern = False

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            if path.stat().st_size < HEADER_SIZE:
                raise TableUnavailable(f"{path.name}: not a CDB file: too short")
            self._cdb = cdbx.CDB(os.fspath(path))
            self._tail = self._ends_in_nul()
        except OSError as error:
            raise TableUnavailable(f"{path.name}: {error.strerror or error}") from error
        self._get = self._cdb.get

    @property
    def raw(self) -> Raw | None:
        """The question without folding and decoding; not where keys end in NUL."""
        return None if self._tail else self._get

    def get(self, key: str, /) -> str | None:
        """Return the value of `key`, which is folded here; None when absent."""
        tail = self._tail
        try:
            wanted = key.casefold().encode()
            value = self._get(wanted + tail if tail else wanted)
            if value is None:
                return None
            text: str = value.decode()
        except UnicodeEncodeError:
            return None  # a lone surrogate: no UTF-8 key can equal it (dict_utf8(3))
        except (OSError, UnicodeDecodeError) as error:
            raise TableUnavailable(f"{self._path.name}: {error}") from error
        return text.removesuffix("\0") if tail else text

    def entries(self) -> Iterator[tuple[str, str]]:
        """Yield all entries in the order they were added, duplicates included (postmap -s)."""
        for key, value in self._cdb.items(all=True):
            yield key.removesuffix(self._tail).decode(), value.removesuffix(self._tail).decode()

    def close(self) -> None:
        """Give the mapping back; the map is not to be used afterwards."""
        self._cdb.close()

    def _ends_in_nul(self) -> bytes:
        for key in self._cdb:
            return b"\0" if key.endswith(b"\0") else b""
        return b""
