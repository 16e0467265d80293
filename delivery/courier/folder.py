"""folder - put a message into a Maildir, with the user's rights.

SUMMARY      store(order, parts, accounts) -> Answer; becomes the user on the way
DURABLE      2.0.0 means: written to tmp/, fsynced, linked into new/, new/ fsynced
RULES        missing directories are made, 0700; the file is 0600. tmp/ is made last, when all the
             others are on disk: whoever finds it, while others make a Maildir, finds them all
             root's rights are used in a directory of root's alone: a spool directory may be open to
             everybody, who could put a link there
             names are time.VdeviceIinodeMmicroseconds.host, as Postfix makes them
ERRORS       an Answer; nothing is left in tmp/
SOURCE       https://cr.yp.to/proto/maildir.html; Postfix local/maildir.c
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Sequence
from pathlib import Path

from delivery.courier.failures import failed
from delivery.courier.identity import Accounts
from delivery.courier.mailfile import write_all
from delivery.courier.message import Form, read_parts, shape
from delivery.courier.wire import Answer, Store
from delivery.durable import sync_directory_or_all

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def store(order: Store, parts: Sequence[int], accounts: Accounts) -> Answer:
    """Carry out the order. Raises NoAccount."""
    account = accounts.mailbox_user(order.user, order.group, order.path)
    accounts.become(account)
    box = order.path.rstrip("/") or "/"
    if account.uid == 0 and accounts.switches and not _is_roots(box):
        return Answer(dsn="4.2.0", reason=f"{box} is no directory of root's")
    now = time.time_ns()
    temporary = os.path.join(box, "tmp", f"{now // 10**9}.P{os.getpid()}.{order.hostname}")
    try:
        descriptor = _create(temporary, box)
    except OSError as error:
        what = f"create maildir file {temporary}"
        return failed(error, "5.2.0", what, switches=accounts.switches)
    try:
        try:
            _copy(order, descriptor, parts)
        except OSError as error:
            return failed(error, "5.3.0", "error writing message", switches=accounts.switches)
        state = os.fstat(descriptor)
        name = (
            f"{now // 10**9}.V{state.st_dev:x}I{state.st_ino:x}M{now // 1000 % 10**6}"
            f".{order.hostname}"
        )
        final = f"{box}/new/{name}"
        try:
            _publish(temporary, final, box)
        except OSError as error:
            what = f"create maildir file {final}"
            return failed(error, "5.2.0", what, switches=accounts.switches)
        return Answer(dsn="2.0.0", where=final)
    finally:
        os.close(descriptor)
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def _is_roots(box: str) -> bool:
    """True for a directory of root's that stays what it is; it is made when there is none yet.

    Made before it is looked at: nobody can put a link there in between.
    """
    try:
        os.mkdir(box, 0o700)
    except FileExistsError:
        pass
    except OSError:
        return True  # nothing is there: what is in the way is said when the file is made
    above, state = os.stat(os.path.dirname(box)), os.lstat(box)
    if above.st_mode & stat.S_IWOTH and not above.st_mode & stat.S_ISVTX:
        return False  # anybody may exchange it
    return stat.S_ISDIR(state.st_mode) and state.st_uid == 0


def _create(path: str, box: str) -> int:
    try:
        return os.open(path, _NEW_FILE, 0o600)
    except FileNotFoundError:
        _make(box)
        return os.open(path, _NEW_FILE, 0o600)


def _copy(order: Store, descriptor: int, parts: Sequence[int]) -> None:
    written = 0
    form = Form(prefix=order.prefix.encode("utf-8", "surrogateescape"))
    for piece in shape(read_parts(parts), form):
        written += len(piece)
        if order.limit and written > order.limit:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        write_all(descriptor, piece)
    os.fsync(descriptor)


def _publish(temporary: str, final: str, box: str) -> None:
    try:
        os.link(temporary, final, follow_symlinks=False)
    except FileNotFoundError:
        _make(box)
        os.link(temporary, final, follow_symlinks=False)
    sync_directory_or_all(os.path.dirname(final))


def _make(box: str) -> None:
    """Make a Maildir, or what is missing of it, with the directories above it.

    Another delivery may be at the same: its directories count as made here.
    """
    for part in ("cur", "new"):
        _make_directories(os.path.join(box, part))
    for directory in (Path(box), *Path(box).parents):
        if not os.access(directory, os.W_OK, effective_ids=True):
            break  # nobody has made anything in it on behalf of this user
        sync_directory_or_all(directory)
    _make_directories(os.path.join(box, "tmp"))


def _make_directories(path: str) -> None:
    missing = []
    while path and not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    for each in reversed(missing):
        with contextlib.suppress(FileExistsError):
            os.mkdir(each, 0o700)
