"""objects: what is given out is what the name says, and is read in full only once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tables.errors import GenerationError
from tables.objects import Objects

DATA = b"some map file\n" * 100
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    (tmp_path / DIGEST).write_bytes(DATA)
    return Objects(tmp_path)


def read(objects: Objects) -> bytes:
    descriptor = objects.open(DIGEST, len(DATA))
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read()


def test_it_works(objects: Objects) -> None:
    assert read(objects) == DATA
    assert read(objects) == DATA


def test_it_remembers_no_more_than_it_should(objects: Objects) -> None:
    """A change that keeps the size and sets the time back is seen all the same."""
    objects.verify(DIGEST, len(DATA))
    path = objects.path(DIGEST)
    before = os.stat(path)
    path.write_bytes(b"X" + DATA[1:])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(GenerationError, match="does not have the content its name says"):
        objects.verify(DIGEST, len(DATA))


def test_it_gives_out_the_file_that_was_verified(objects: Objects) -> None:
    descriptor = objects.open(DIGEST, len(DATA))
    objects.path(DIGEST).unlink()
    with os.fdopen(descriptor, "rb") as stream:
        assert stream.read() == DATA


def test_it_refuses_what_is_missing_torn_or_no_file(objects: Objects, tmp_path: Path) -> None:
    with pytest.raises(GenerationError, match="is missing; publish again"):
        objects.verify("0" * 64, 1)
    with pytest.raises(GenerationError, match="has 1400 bytes where the manifest says 1401"):
        objects.verify(DIGEST, len(DATA) + 1)
    with pytest.raises(GenerationError, match="is not the digest of an object"):
        objects.verify("../secret", 1)
    (tmp_path / ("1" * 64)).symlink_to(objects.path(DIGEST))
    with pytest.raises(GenerationError, match="cannot be opened"):
        objects.verify("1" * 64, len(DATA))
    os.mkfifo(tmp_path / ("2" * 64))
    with pytest.raises(GenerationError, match="is not a plain file"):
        objects.verify("2" * 64, 0)


def test_it_reads_a_file_it_knows_no_second_time(objects: Objects) -> None:
    """Whoever vouches for an open file is believed: only then can nothing have been read."""
    other = "3" * 64
    objects.path(other).write_bytes(DATA)
    with pytest.raises(GenerationError):
        objects.verify(other, len(DATA))
    with objects.path(other).open("rb") as stream:
        objects.remember(other, stream.fileno())
    objects.verify(other, len(DATA))
