"""load - clients that send numbered messages for as long as it takes, whatever happens meanwhile.

with Load(port, messages=300, clients=8, recipients=lambda number: [...]) as load: ...
Every try at sending has a name of its own, so that a name met twice was delivered twice. What was
answered with 250 is in `acknowledged`; what got no answer is sent again, under another name.
"""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from delivery.spool import SpoolLimits
from tests.wire.polling import eventually
from tests.wire.talk import Talk

PATIENCE_S = 120.0  # for a server that comes back
LARGE = SpoolLimits().inline_bytes + 10_000  # beyond what the queue keeps in its database
# not that of the server: who asks for a port that nobody listens on may otherwise meet himself
SOURCE = "127.0.0.3"


class Fuse:
    """Burns down with the steps of all clients together: about to end a message, answered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = 0
        self._burn: Callable[[], None] = lambda: None

    def light(self, steps: int, burn: Callable[[], None]) -> None:
        """Call `burn` with that step from now, in the thread of the client that takes it."""
        with self._lock:
            self._left, self._burn = steps, burn

    def step(self) -> None:
        """A client is about to end a message, or has ended it, or has its answer."""
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self._burn()


class Load:
    """Use as a context manager; leaving it waits until all is sent."""

    def __init__(
        self,
        port: int,
        *,
        messages: int,
        clients: int,
        recipients: Callable[[int], Sequence[str]],
        dice: random.Random,
    ) -> None:
        self.fuse = Fuse()
        self.acknowledged: dict[str, Sequence[str]] = {}  # name -> its recipients
        self.unanswered: set[str] = set()
        self._port = port
        self._recipients = recipients
        self._numbers = iter(range(messages))
        self._large = {number for number in range(messages) if dice.random() < 0.1}
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._client, daemon=True) for _ in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            for thread in self._threads:
                thread.join()

    @property
    def is_over(self) -> bool:
        """True when all is sent, or the clients gave up."""
        return not any(thread.is_alive() for thread in self._threads)

    def _client(self) -> None:
        """One client: a connection for as long as it lasts, then another one."""
        number = self._next()
        tries = itertools.count()
        while number is not None:
            try:
                with self._connected() as talk:
                    talk.greet()
                    while number is not None:
                        self._send(talk, number, f"m{number}.{next(tries)}")
                        number, tries = self._next(), itertools.count()
            except (OSError, AssertionError):  # hung up, or no reply where one was due
                continue

    def _connected(self) -> Talk:
        def connect() -> Talk | None:
            try:
                return Talk(self._port, timeout_s=PATIENCE_S, source=SOURCE)
            except OSError:
                return None

        return eventually(connect, within_s=PATIENCE_S, what="a server that answers")  # type: ignore[return-value]

    def _send(self, talk: Talk, number: int, name: str) -> None:
        recipients = self._recipients(number)
        talk.begin("a@sender.example", *recipients).say("DATA", "354 *")
        talk.send(f"Subject: {name}", "", "x" * 70)
        if number in self._large:
            talk.raw(b"y" * 998 + b"\r\n")
            talk.raw((b"z" * 98 + b"\r\n") * (LARGE // 100))
        self.fuse.step()
        self.unanswered.add(name)
        talk.send(f"End: {name}", ".")
        self.fuse.step()
        talk.expect("250 2.0.0 Ok: queued as *")
        self.unanswered.discard(name)
        self.acknowledged[name] = recipients
        self.fuse.step()

    def _next(self) -> int | None:
        with self._lock:
            return next(self._numbers, None)
