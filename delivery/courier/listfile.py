"""listfile - read the .forward of a user, or an :include: file, with the right rights.

SUMMARY      read_forward(order, accounts) -> Answer; read_include(order, accounts) -> Answer
RULES        .forward: the first path that exists counts. A regular file, no link, of the user's or
             root's, not writable by everybody; anything else is as if there were none
             :include: a regular file, links are followed, not writable by everybody; read with the
             rights that were chosen before, else with those of its owner
LIMITS       a file has at most FILE_LIMIT octets
ERRORS       an Answer: read_include 5.3.5 when it cannot be used, 4.3.5 when its owner is unknown
DEVIATION    a file of root's is read with the rights of default_privs, not of root: the engine must
             not be able to read whatever root can
SOURCE       Postfix local/dotforward.c, local/include.c
"""

from __future__ import annotations

import os
import stat

from delivery.courier.failures import text_of
from delivery.courier.identity import Accounts, NoAccount
from delivery.courier.wire import Answer, ReadForward, ReadInclude

FILE_LIMIT = 10 * 1024 * 1024
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
NONE = Answer(dsn="2.0.0")


def read_forward(order: ReadForward, accounts: Accounts) -> Answer:
    """Carry out the order. `found` is -1 when there is no file. Raises NoAccount."""
    account = accounts.forward_user(order.user, order.paths)
    accounts.become(account)
    for number, path in enumerate(order.paths):
        try:
            named = os.lstat(path)
        except OSError:
            continue
        problem = _fault(named, path, {0, account.uid})
        if not problem:
            try:
                text = _read(path, _READ | os.O_NOFOLLOW, named)
            except OSError as error:
                problem = f"cannot open file {path}: {text_of(error)}"
            else:
                return Answer(dsn="2.0.0", found=number, text=text)
        return Answer(dsn="2.0.0", found=number, reason=problem)
    return NONE


def read_include(order: ReadInclude, accounts: Accounts) -> Answer:
    """Carry out the order. Raises NoAccount."""
    if order.user:
        accounts.become(accounts.user(order.user))
    try:
        named = os.stat(order.path)
    except OSError as error:
        return _unusable(f"unable to lookup :include: file {order.path}: {text_of(error)}")
    if problem := _fault(named, order.path, None):
        return _unusable(f":include: {problem}")
    owner = ""
    if not order.user:
        try:
            account = accounts.owner(named.st_uid)
        except NoAccount as error:
            return Answer(dsn="4.3.5", reason=f"{order.path}: {error}")
        owner = "" if account is None else account.name
        accounts.become(account or accounts.user(order.fallback))
    try:
        text = _read(order.path, _READ, named)
    except OSError as error:
        return _unusable(f"cannot open include file {order.path}: {text_of(error)}")
    return Answer(dsn="2.0.0", found=0, text=text, owner=owner)


def _fault(state: os.stat_result, path: str, owners: set[int] | None) -> str:
    """Why the file is not to be used; '' when it is."""
    if not stat.S_ISREG(state.st_mode):
        return f"file {path} is not a regular file"
    if owners is not None and state.st_uid not in owners:
        return f"file {path} has bad owner uid {state.st_uid}"
    if state.st_mode & stat.S_IWOTH:
        return f"file {path} is world writable"
    return ""


def _read(path: str, flags: int, expected: os.stat_result) -> str:
    """The text of the very file that was looked at. Raises OSError."""
    descriptor = os.open(path, flags)
    with os.fdopen(descriptor, "rb") as file:
        state = os.fstat(descriptor)
        if (state.st_dev, state.st_ino) != (expected.st_dev, expected.st_ino):
            raise OSError("the file was exchanged")
        data = file.read(FILE_LIMIT + 1)
    if len(data) > FILE_LIMIT:
        raise OSError(f"more than {FILE_LIMIT} octets")
    return data.decode("utf-8", "surrogateescape")


def _unusable(reason: str) -> Answer:
    return Answer(dsn="5.3.5", reason=reason)
