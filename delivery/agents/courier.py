"""courier - the engine's end of the channel to delivery.courier, which writes files, runs commands.

SUMMARY      Courier.start(...) starts the helper; await carry(order, content) -> Answer
WHEN         started by root: before the engine gives up root (then `switches` is True and users
             are served with their own rights). Otherwise whenever
RULES        the message travels as open files: the helper opens nothing of ours
             an order that is given up (cancelled) is given up by the helper too
             a helper that ended is started again, unless it had root's rights: those are gone, and
             only a new start of the engine can give them back. watch() tells of that
ERRORS       CourierFailed: no answer; what was to be done is done, or not, or half: try again
SOURCE       docs/decisions/0020-a-courier-for-local-delivery.md
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from delivery.courier.wire import (
    ANSWER_LIMIT,
    Answer,
    BadOrder,
    Order,
    Run,
    encode,
    read_answer,
)
from delivery.values import Content

COURIER = "delivery.courier"
PROJECT = Path(__file__).resolve().parents[2]
FILE_LIMIT_S = 600.0  # for anything but a command, which brings its own limit
GRACE_S = 30.0
SEND_BUFFER = 512 * 1024


class CourierFailed(Exception):
    """The helper gave no answer."""


class Courier:
    """One helper process; belongs to one event loop."""

    def __init__(
        self,
        *,
        directory: str = "/",
        environment: Mapping[str, str] | None = None,
        refused: Sequence[int] = (),
        spools: Sequence[str] = (),
    ) -> None:
        """`directory`: where commands start; `environment`: from which variables are exported.

        `refused`: numbers of users it must never become, the engine's above all; `spools`: mail
        spool directories besides /var/mail.
        """
        self.switches = os.geteuid() == 0
        self._environment = environment
        self._arguments = ["--directory", directory]
        for uid in refused:
            self._arguments += ["--refuse", str(uid)]
        for path in spools:
            self._arguments += ["--spool", path]
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None

    def start(self) -> None:
        """Start the helper, with the rights of this process. Raises OSError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            ours.setblocking(False)
            number = theirs.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-m", COURIER, "--channel", str(number), *self._arguments],
                pass_fds=[number],
                env=self._environment_of_helper(),
                stdin=subprocess.DEVNULL,
                cwd=PROJECT,
            )
        self._channel = ours

    def watch(self, lost: Callable[[], None]) -> None:
        """Have `lost` called when a helper with root's rights has ended."""
        if self.switches and self._channel is not None:
            # it never writes to the channel: what can be read there is its end
            asyncio.get_running_loop().add_reader(self._channel, self._ended, lost)

    def disown(self) -> None:
        """In a child of this process, which is not to give orders."""
        if self._channel is not None:
            self._channel.close()
        self._channel = self._process = None

    async def close(self) -> None:
        """End the helper; what runs is stopped."""
        if self._channel is not None:
            asyncio.get_running_loop().remove_reader(self._channel)
            self._channel.close()
            self._channel = None
        if self._process is not None:
            await asyncio.to_thread(self._process.wait)
            self._process = None

    async def carry(self, order: Order, content: Content | None = None) -> Answer:
        """Have an order carried out. Raises CourierFailed, OSError (the message cannot be read)."""
        try:
            data = encode(order)
        except BadOrder as error:
            raise CourierFailed(str(error)) from error
        limit = order.seconds + GRACE_S if isinstance(order, Run) else FILE_LIMIT_S
        parts = [] if content is None else _open_parts(content)
        ours, theirs = socket.socketpair()
        with ours:
            ours.setblocking(False)
            try:
                with theirs:
                    await self._send(data, [theirs.fileno(), *parts])
            finally:
                for descriptor in parts:
                    os.close(descriptor)
            try:
                return read_answer(await asyncio.wait_for(_receive(ours), limit))
            except TimeoutError as error:
                raise CourierFailed(f"no answer in {limit:.0f} s") from error
            except (BadOrder, OSError) as error:
                raise CourierFailed("the local delivery helper gave no answer") from error

    async def _send(self, data: bytes, files: list[int]) -> None:
        for attempt in range(2):
            channel = self._ready()
            try:
                while True:
                    try:
                        socket.send_fds(channel, [data], files)
                        return
                    except BlockingIOError:
                        await _writable(channel)
            except OSError as error:
                if attempt or self.switches:
                    raise CourierFailed(f"the local delivery helper is gone: {error}") from error
                self._forget()

    def _ready(self) -> socket.socket:
        if self._channel is None:
            if self.switches and self._process is not None:
                raise CourierFailed("the local delivery helper is gone")
            try:
                self.start()
            except OSError as error:
                raise CourierFailed(f"cannot start the local delivery helper: {error}") from error
        assert self._channel is not None
        return self._channel

    def _ended(self, lost: Callable[[], None]) -> None:
        assert self._channel is not None
        asyncio.get_running_loop().remove_reader(self._channel)
        lost()

    def _forget(self) -> None:
        """The helper has ended."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _environment_of_helper(self) -> dict[str, str] | None:
        return None if self._environment is None else dict(self._environment)


def _open_parts(content: Content) -> list[int]:
    """Open files that hold the message, to be read one after the other. Raises OSError."""
    parts: list[int] = []
    try:
        first = content.headers if content.path else content.headers + content.data
        if first:
            parts.append(_in_memory(first))
        if content.path:
            parts.append(os.open(content.path, os.O_RDONLY | os.O_CLOEXEC))
            if os.fstat(parts[-1]).st_size != content.size:
                raise OSError("the content file has another size")
    except BaseException:
        for descriptor in parts:
            os.close(descriptor)
        raise
    return parts


def _in_memory(data: bytes) -> int:
    descriptor = os.memfd_create("message", os.MFD_CLOEXEC)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


async def _receive(ours: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    found = bytearray()
    while piece := await loop.sock_recv(ours, 65536):
        found += piece
        if len(found) > ANSWER_LIMIT:
            raise OSError("the answer is too long")
    return bytes(found)


async def _writable(channel: socket.socket) -> None:
    """Wait until there is room for another order."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    number = os.dup(channel.fileno())  # several may wait: each with a number of its own

    def wake() -> None:
        with contextlib.suppress(asyncio.InvalidStateError):
            ready.set_result(None)

    loop.add_writer(number, wake)
    try:
        await ready
    finally:
        loop.remove_writer(number)
        os.close(number)
