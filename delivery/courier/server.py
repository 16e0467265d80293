"""server - takes orders from the engine; each is carried out by a child of its own.

SUMMARY      Server(channel, accounts).serve() until the channel closes
RULES        a child belongs to one order: what goes wrong in it touches no other
             CHILDREN at once; further orders wait in the channel
             whatever is no order is answered with 5.3.5 and forgotten
ERRORS       an error in a child is answered with 4.3.0; one that dies answers nothing, which means
             the same
SOURCE       socket(7) SCM_RIGHTS, unix(7)
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence

from delivery.courier.folder import store
from delivery.courier.identity import Accounts, NoAccount
from delivery.courier.listfile import read_forward, read_include
from delivery.courier.mailfile import append
from delivery.courier.program import run
from delivery.courier.wire import (
    ORDER_LIMIT,
    Answer,
    Append,
    BadOrder,
    Order,
    ReadForward,
    ReadInclude,
    Run,
    Store,
    decode,
    write_answer,
)

CHILDREN = 200
MOST_FILES = 4  # the answer's socket, and the pieces of a message


class Server:
    """One courier."""

    def __init__(self, channel: socket.socket, accounts: Accounts) -> None:
        self._channel = channel
        self._accounts = accounts
        self._children: set[int] = set()

    def serve(self) -> None:
        """Take orders until the engine is gone."""
        while True:
            self._reap(wait=len(self._children) >= CHILDREN)
            try:
                data, files, flags, _ = socket.recv_fds(
                    self._channel, ORDER_LIMIT, MOST_FILES, socket.MSG_CMSG_CLOEXEC
                )
            except ConnectionError:
                return
            if not data and not files:
                return
            try:
                self._take(data, files, is_cut=bool(flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC)))
            finally:
                for descriptor in files:
                    os.close(descriptor)

    def _take(self, data: bytes, files: Sequence[int], *, is_cut: bool) -> None:
        if not files:
            return
        try:
            pid = os.fork()
        except OSError as error:
            _say(files[0], Answer(dsn="4.3.0", reason=f"cannot fork: {error}"))
            return
        if pid:
            self._children.add(pid)
            return
        status = 1
        try:
            self._channel.close()
            _say(files[0], self._carry_out(data, files, is_cut))
            status = 0
        except BaseException as error:  # noqa: BLE001 - nothing above this may run in the child
            with contextlib.suppress(OSError):
                _say(files[0], Answer(dsn="4.3.0", reason=f"{type(error).__name__}: {error}"))
        finally:
            os._exit(status)

    def _carry_out(self, data: bytes, files: Sequence[int], is_cut: bool) -> Answer:
        try:
            if is_cut:
                raise BadOrder("the order is too long")
            return perform(decode(data), files[0], files[1:], self._accounts)
        except BadOrder as error:
            return Answer(dsn="5.3.5", reason=f"not an order: {error}")
        except NoAccount as error:
            return Answer(dsn="4.3.5", reason=str(error))

    def _reap(self, *, wait: bool) -> None:
        while self._children:
            try:
                pid, _ = os.waitpid(-1, 0 if wait else os.WNOHANG)
            except ChildProcessError:
                self._children.clear()
                return
            if pid == 0:
                return
            self._children.discard(pid)
            wait = False


def perform(order: Order, answer: int, parts: Sequence[int], accounts: Accounts) -> Answer:
    """Carry out one order, in the child. Raises NoAccount, OSError."""
    match order:
        case Append():
            _limit_files(order.limit)
            return append(order, parts, accounts)
        case Store():
            _limit_files(order.limit)
            return store(order, parts, accounts)
        case Run():
            _limit_files(order.limit)
            return run(order, parts, accounts, lambda: _is_awaited(answer))
        case ReadForward():
            return read_forward(order, accounts)
        case ReadInclude():
            return read_include(order, accounts)


def _limit_files(limit: int) -> None:
    """No file may grow beyond it, written by us or by a command. postconf(5) mailbox_size_limit."""
    if limit > 0:
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        if hard != resource.RLIM_INFINITY:
            limit = min(limit, hard)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))


def _is_awaited(answer: int) -> bool:
    """False when the other end of the answer's socket is closed."""
    poll = select.poll()
    poll.register(answer, 0)  # POLLHUP and POLLERR are always told
    return not poll.poll(0)


def _say(descriptor: int, answer: Answer) -> None:
    data = memoryview(write_answer(answer))
    while data:
        data = data[os.write(descriptor, data) :]


def settle_down() -> None:
    """What the courier is before it takes the first order."""
    os.umask(0o077)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the engine's matter; then we end
    time.tzset()
    sys.stdin.close()
