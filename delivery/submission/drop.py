"""drop - the directory where mail waits that programs of this machine handed in.

SUMMARY      make_drop(), purge(), publish(): the engine's side
             read_terms(), Writer: any user's side
             Drop(path).names(), open(name), remove(name): the engine takes
FORM         <32 hexadecimal digits>.mail: the message as it was given, the Slip as a line of JSON,
             and how long that line is, in 16 octets; .part while it is written
             a .part that nobody wrote to for STALE_S is removed when an engine starts
             terms.json: what any user may know of the engine's rules; wake: a FIFO, a byte in it
             makes the engine look at once
RULES        the engine need not run: a message is durable when its file has its last name
             whose file it is, is who handed it in: no user can come as another
             the directory is mode 3733: all may leave files there, none can list them or touch
             those of others; files are readable by the engine's group alone
             hard links, symbolic links and files of a wrong form are not taken
LIMITS       SLIP_LIMIT; a slip longer than LONG_SLIP is read only when it is asked for
ERRORS       OSError; DropError for a file that cannot be what a Writer left
SOURCE       decision 0021; Postfix maildrop queue, postdrop(1), pickup(8)
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from delivery.durable import sync_directory
from delivery.errors import DeliveryError
from delivery.values import Recipient
from tables.addresses import Address

DIRECTORY_MODE = 0o3733  # group of the directory for new files, sticky, write-only for others
FILE_MODE = 0o640
FIFO_MODE = 0o622
SLIP_LIMIT = 4 * 1024 * 1024  # octets: a message may have many recipients
LONG_SLIP = 64 * 1024  # and those that have are not read many at once
STALE_S = 7 * 86400.0  # without a write to it, nobody is writing a file any more
_TRAILER = 16
_NOTIFY = frozenset({"NEVER", "SUCCESS", "FAILURE", "DELAY"})  # RFC 3461 4.1
_RET = ("", "FULL", "HDRS")  # RFC 3461 4.3
_NAME = re.compile(r"[0-9a-f]{32}\.mail")
_WAKE = "wake"
_TERMS = "terms.json"


class DropError(DeliveryError):
    """A file in the drop directory that is not what it should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What any user may know of the rules in force; field names are those of postconf(5)."""

    message_size_limit: int = 10_240_000
    myhostname: str = "localhost"
    mail_name: str = "Waypost"
    smtpd_banner: str = "localhost ESMTP"
    smtputf8_enable: bool = True
    authorized_submit_users: tuple[str, ...] = ("static:anyone",)

    def bars(self, user: str) -> bool:
        """True when that user may not submit, as far as the list itself tells.

        The engine asks the tables of the list as well, when it takes a message.
        """
        words = self.authorized_submit_users
        return user not in words and not any(set(":/!") & set(word) for word in words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip:
    """The envelope as it was handed in: addresses may lack a domain."""

    sender: Address
    recipients: tuple[Recipient, ...]
    full_name: str = ""  # for the From header, when there is none
    ret: str = ""  # RFC 3461 4.3
    envid: str = ""  # RFC 3461 4.4
    eightbit: bool = False  # BODY=8BITMIME
    is_traced: bool = False  # its sender wants to see what comes of it
    is_probe: bool = False  # a question what would come of it; nothing is delivered
    is_relayed: bool = False  # no submission by its author: headers are another's to complete


# the engine's side


def make_drop(directory: Path) -> None:
    """Make the directory and its FIFO, or mend their modes. Raises OSError."""
    directory.mkdir(0o700, exist_ok=True)  # nobody else's until the FIFO is there
    fifo = directory / _WAKE
    with contextlib.suppress(FileExistsError):
        os.mkfifo(fifo, 0o600)
    if not stat.S_ISFIFO(fifo.lstat().st_mode):
        raise FileExistsError(f"{fifo} is no FIFO")
    fifo.chmod(FIFO_MODE)
    directory.chmod(DIRECTORY_MODE)


def purge(directory: Path) -> None:
    """Remove what writers left behind that were killed long ago. Raises OSError."""
    past = time.time() - STALE_S
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.endswith(".part"):
                with contextlib.suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_mtime < past:
                        os.unlink(entry.path)


def publish(directory: Path, terms: Terms) -> None:
    """Let users know the rules. Raises OSError."""
    made = directory / f"{_TERMS}.{secrets.token_hex(16)}.part"  # no name that others can take
    with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w") as file:
        json.dump(asdict(terms), file)
    made.chmod(0o644)
    made.rename(directory / _TERMS)


def open_wake(directory: Path) -> int:
    """The FIFO for reading; it never ends, for we write to it as well. Raises OSError."""
    flags = os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
    return os.open(directory / _WAKE, flags)


class Dropped:
    """One message, open."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode) or state.st_nlink != 1:
            raise DropError("no file of its own")
        self.uid = state.st_uid
        self.arrived = state.st_mtime
        length = self._number(state.st_size - _TRAILER)
        self.size = state.st_size - _TRAILER - length
        if not 0 < length <= SLIP_LIMIT or self.size < 0:
            raise DropError("the end of the file is damaged")
        self._length = length
        self.is_long = length > LONG_SLIP
        if not self.is_long:
            _ = self.slip

    @cached_property
    def slip(self) -> Slip:
        """The envelope. Raises OSError, DropError."""
        return _read_slip(os.pread(self._descriptor, self._length, self.size))

    def pieces(self, size: int = 64 * 1024) -> Iterator[bytes]:
        """The message. Raises OSError."""
        place = 0
        while place < self.size:
            piece = os.pread(self._descriptor, min(size, self.size - place), place)
            if not piece:
                raise OSError("the file became shorter")
            place += len(piece)
            yield piece

    def close(self) -> None:
        """Let go of it."""
        os.close(self._descriptor)

    def _number(self, place: int) -> int:
        text = os.pread(self._descriptor, _TRAILER, place) if place >= 0 else b""
        if len(text) != _TRAILER or not text.strip().isdigit():
            raise DropError("the end of the file is missing")
        return int(text)


class Drop:
    """The directory, as the engine sees it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def names(self) -> list[str]:
        """What waits, the oldest first. Raises OSError."""
        found = []
        with os.scandir(self.directory) as entries:
            for entry in entries:
                if _NAME.fullmatch(entry.name):
                    with contextlib.suppress(FileNotFoundError):
                        found.append((entry.stat(follow_symlinks=False).st_mtime_ns, entry.name))
        return [name for _, name in sorted(found)]

    def open(self, name: str) -> Dropped:
        """Raises OSError, DropError."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(self.directory / name, flags)
        try:
            return Dropped(descriptor)
        except BaseException:
            os.close(descriptor)
            raise

    def remove(self, name: str) -> None:
        """It was taken."""
        (self.directory / name).unlink(missing_ok=True)

    def set_aside(self, name: str) -> None:
        """It cannot be taken: keep it, for a person to look at."""
        path = self.directory / name
        try:
            path.rename(path.with_suffix(".bad"))
        except OSError:  # a directory may be there, of that name
            path.rename(path.with_suffix(f".{secrets.token_hex(8)}.bad"))


# any user's side


def read_terms(directory: Path) -> Terms:
    """The rules as far as they are known; the defaults where they are not."""
    try:
        told = json.loads((directory / _TERMS).read_text())
        lists = {name: tuple(value) for name, value in told.items() if isinstance(value, list)}
        return Terms(**{**told, **lists})
    except (OSError, ValueError, TypeError, AttributeError):
        return Terms()


class Writer:
    """Leaves one message."""

    def __init__(self, directory: Path) -> None:
        """Raises OSError: there is no such directory, or we may not write there."""
        self._directory = directory
        self.name = secrets.token_hex(16)
        self._part = directory / f"{self.name}.part"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.fdopen(os.open(self._part, flags, FILE_MODE), "wb")
        self.size = 0

    def write(self, data: bytes) -> None:
        """A piece of the message. Raises OSError."""
        self.size += len(data)
        self._file.write(data)

    def finish(self, slip: Slip) -> None:
        """On return the message is durable, and the engine's. Raises OSError."""
        line = _encode_slip(slip)
        if len(line) > SLIP_LIMIT:
            raise OSError(errno.E2BIG, "Too many recipients")
        self._file.write(line)
        self._file.write(b"%15d\n" % len(line))
        self._file.flush()
        os.fchmod(self._file.fileno(), FILE_MODE)  # whatever the umask says
        os.fsync(self._file.fileno())
        self._part.rename(self._part.with_suffix(".mail"))
        os.fsync(self._file.fileno())  # file systems with a journal keep the new name with it
        self._file.close()
        with contextlib.suppress(PermissionError):  # to all but its owner, who cannot list it
            sync_directory(self._directory)
        wake(self._directory)

    def abandon(self) -> None:
        """Leave nothing."""
        with contextlib.suppress(OSError):  # what a full disk did not take, it does not take now
            self._file.close()
        self._part.unlink(missing_ok=True)


def wake(directory: Path) -> None:
    """Tell an engine that something waits; without one it waits for the next."""
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC  # root may send mail, too
    with contextlib.suppress(OSError):
        descriptor = os.open(directory / _WAKE, flags)
        try:
            os.write(descriptor, b"W")
        finally:
            os.close(descriptor)


# the slip


def _encode_slip(slip: Slip) -> bytes:
    told = {
        "sender": _pair(slip.sender),
        "recipients": [
            [*_pair(each.address), sorted(each.notify), each.orcpt] for each in slip.recipients
        ],
        "full_name": slip.full_name,
        "ret": slip.ret,
        "envid": slip.envid,
        "eightbit": slip.eightbit,
        "is_traced": slip.is_traced,
        "is_probe": slip.is_probe,
        "is_relayed": slip.is_relayed,
    }
    return json.dumps(told, separators=(",", ":")).encode() + b"\n"


def _read_slip(line: bytes) -> Slip:
    try:
        told = json.loads(line)
        recipients, ret = tuple(map(_recipient, told["recipients"])), told["ret"]
        if not recipients or ret not in _RET:
            raise ValueError("nobody, or a wish that nobody can have")
        if told["is_probe"] is True and told["is_traced"] is not True:
            raise ValueError("what comes of such a probe is remembered: they are the engine's own")
        return Slip(
            sender=_address(told["sender"]),
            recipients=recipients,
            full_name=_text(told["full_name"]),
            ret=ret,
            envid=_text(told["envid"]),
            eightbit=told["eightbit"] is True,
            is_traced=told["is_traced"] is True,
            is_probe=told["is_probe"] is True,
            is_relayed=told["is_relayed"] is True,
        )
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise DropError("the envelope is damaged") from error


def _pair(address: Address) -> tuple[str, str]:
    return address.local, address.domain


def _address(value: Iterable[Any]) -> Address:
    local, domain = map(_text, value)
    return Address(local, domain)


def _recipient(value: Sequence[Any]) -> Recipient:
    local, domain, notify, orcpt = value
    address = _address((local, domain))
    if not _NOTIFY.issuperset(notify):
        raise ValueError("an unknown NOTIFY")
    return Recipient(
        address=address,
        original=address,
        notify=frozenset(notify),
        orcpt=_text(orcpt),
    )


def _text(value: object) -> str:
    """Text without what could end a line or a word further on."""
    if not isinstance(value, str) or any(ord(sign) < 32 or sign == "\x7f" for sign in value):
        raise ValueError("no text")
    value.encode("utf-8", "surrogateescape")  # half of a surrogate pair is none either
    return value
