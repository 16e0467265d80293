"""mailfile - add a message to a mailbox or to any other file.

SUMMARY      append(order, parts, accounts) -> Answer; becomes the user on the way
DURABLE      2.0.0 means: the message is at the end of the file and fsynced, and so is the name of
             the file when it is new
RULES        lock file first, then the file is opened, then locked; all with the user's rights. The
             lock file of a file that is no mailbox may fail: not every directory can be written to
             a mailbox in a spool directory that only root or a group may write to: the user with
             the directory's group, or root for the lock and the new file, which the user is given
             the file: one name only, no symbolic link (but root's in a directory of root's), not
             exchanged while we look; never a directory, never executable
             what was written of a message that could not be written whole is cut off again
             what is no regular file (/dev/null) is neither locked nor synced
ERRORS       an Answer; status codes are those of Postfix
SOURCE       Postfix mbox_open(3), safe_open(3), mail_copy(3), local/mailbox.c, local/file.c
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence

from delivery.courier.failures import failed
from delivery.courier.identity import Account, Accounts
from delivery.courier.locks import Busy, DotLock, Patience, lock_file
from delivery.courier.message import Form, read_parts, shape
from delivery.courier.wire import Answer, Append
from delivery.durable import sync_directory_or_all

_APPEND = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = _APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


class Unfit(Exception):
    """The file is not one that mail may be written to."""

    def __init__(self, dsn: str, reason: str) -> None:
        super().__init__(reason)
        self.dsn = dsn


def append(order: Append, parts: Sequence[int], accounts: Accounts) -> Answer:
    """Carry out the order. Raises NoAccount."""
    if order.is_mailbox:
        account = accounts.mailbox_user(order.user, order.group, order.path)
    else:
        account = accounts.user(order.user)
    with_root = _prepare(order, account, accounts)
    try:
        with _dot_locked(order):
            descriptor, is_new = _open(order.path, account if with_root else None)
            try:
                return _write(order, descriptor, parts, accounts, account, with_root, is_new)
            finally:
                os.close(descriptor)
    except Busy as error:
        return Answer(dsn="4.2.0", reason=str(error))
    except Unfit as error:
        return Answer(dsn=error.dsn, reason=str(error))
    except OSError as error:
        what = getattr(error, "what", "cannot open file")
        return failed(error, "5.2.0", what, switches=accounts.switches)


def _prepare(order: Append, account: Account, accounts: Accounts) -> bool:
    """Become the user, as far as the mailbox's directory allows; True: still root."""
    if not accounts.switches:
        return False
    groups: tuple[int, ...] = ()
    directory = os.path.dirname(order.path)
    if order.is_mailbox and directory in accounts.spools:
        try:
            spool = os.stat(directory)
        except OSError:
            spool = None
        if spool is not None and spool.st_uid == 0 and not spool.st_mode & stat.S_IWOTH:
            if not spool.st_mode & stat.S_IWGRP:
                return True
            if spool.st_gid != 0:
                groups = (spool.st_gid,)
    accounts.become(account, groups)
    return False


@contextlib.contextmanager
def _dot_locked(order: Append) -> Iterator[None]:
    """Hold the lock file, when one is wanted and there is something to lock."""
    lock: DotLock | None = None
    if "dotlock" in order.locks and _may_be_regular(order.path):
        lock = DotLock(order.path, _patience(order))
        try:
            lock.acquire()
        except OSError as error:
            if order.is_mailbox:
                error.what = f"unable to create lock file {lock.path}"  # type: ignore[attr-defined]
                raise
            lock = None
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


def _patience(order: Append) -> Patience:
    return Patience(order.attempts, order.delay_s, order.stale_s)


def _may_be_regular(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return True


def _open(path: str, owner: Account | None) -> tuple[int, bool]:
    """(descriptor, True when the file was made); a new file is given to `owner`."""
    for _ in range(2):  # it may come or go between the two ways
        try:
            return _open_existing(path), False
        except FileNotFoundError:
            pass
        try:
            descriptor = os.open(path, _NEW, 0o600)
        except FileExistsError:
            continue
        except OSError as error:
            error.what = "cannot create file exclusively"  # type: ignore[attr-defined]
            raise
        if owner is not None:
            os.fchown(descriptor, owner.uid, owner.gid)
        return descriptor, True
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def _open_existing(path: str) -> int:
    descriptor = os.open(path, _APPEND)
    try:
        _check(path, os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check(path: str, opened: os.stat_result) -> None:
    """Is the open file the one of that name, and no other's? Raises Unfit. safe_open(3)."""
    if opened.st_nlink != 1:
        raise Unfit("5.2.0", f"file has {opened.st_nlink} hard links")
    named = os.lstat(path)
    if stat.S_ISLNK(named.st_mode):
        parent = os.stat(os.path.dirname(path) or "/")
        safe = parent.st_uid == 0 and not parent.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if named.st_uid != 0 or not safe:
            raise Unfit("5.2.0", "file is a symbolic link")
    elif (opened.st_dev, opened.st_ino) != (named.st_dev, named.st_ino):
        raise Unfit("5.2.0", "file status changed unexpectedly")


def _write(
    order: Append,
    descriptor: int,
    parts: Sequence[int],
    accounts: Accounts,
    account: Account,
    with_root: bool,
    is_new: bool,
) -> Answer:
    state = os.fstat(descriptor)
    is_regular = stat.S_ISREG(state.st_mode)
    if order.is_mailbox and not is_regular:
        return Answer(dsn="5.2.0", reason=f"destination {order.path} is not a regular file")
    if order.is_mailbox and order.owned and state.st_uid != account.uid:
        reason = f"destination {order.path} is not owned by recipient"
        return Answer(dsn="4.2.0", reason=reason)
    if accounts.switches and account.uid == 0 and not _is_mbox(order.path, state.st_size):
        return Answer(dsn="5.2.0", reason=f"destination {order.path} is no mailbox")
    if not order.is_mailbox and is_regular and state.st_mode & 0o111:
        return Answer(dsn="5.7.1", reason="file is executable")
    if is_regular:
        lock_file(descriptor, order.locks, _patience(order))
        if os.fstat(descriptor).st_nlink != 1:  # some POP servers remove the file
            return Answer(dsn="4.2.0", reason="target file status changed unexpectedly")
    if is_regular and is_new:  # before there is a message in it, and with the right to read it
        try:
            sync_directory_or_all(os.path.dirname(order.path))
        except OSError as error:
            return failed(error, "4.3.0", "cannot keep the new file", switches=accounts.switches)
    if with_root:
        accounts.borrow(account)
    try:
        _copy(order, descriptor, parts, is_regular)
    except OSError as error:
        return failed(error, "5.3.0", "error writing message", switches=accounts.switches)
    finally:
        if with_root:
            accounts.give_back()
    return Answer(dsn="2.0.0", where=order.path)


def _is_mbox(path: str, size: int) -> bool:
    """True for an empty file, and for one that begins as mailboxes do. Raises OSError."""
    if not size:
        return True
    with open(path, "rb") as file:
        return file.read(5) == b"From "


def _copy(order: Append, descriptor: int, parts: Sequence[int], is_regular: bool) -> None:
    """Add the whole message and make it durable, or leave the file as it was. Raises OSError."""
    form = Form(
        prefix=order.prefix.encode("utf-8", "surrogateescape"),
        quotes_from=True,
        ends_blank=True,
    )
    end = os.fstat(descriptor).st_size
    try:
        written = end
        for piece in shape(read_parts(parts), form):
            written += len(piece)
            if is_regular and order.limit and written > order.limit:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
            write_all(descriptor, piece)
        if is_regular:
            os.fsync(descriptor)
    except BaseException:
        if is_regular:
            os.ftruncate(descriptor, end)
            os.fsync(descriptor)
        raise


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
