"""peer - a scripted mail server on loopback, and a DNS from a dict.

A rule is (command prefix, reply). The first that matches a command line gives the reply; "." is the
end of the data. A reply "!close" closes without one, "!text" closes after it, "!hang" never comes.
With `tls` it answers STARTTLS, and notes "(TLS)" among the lines.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from delivery.errors import DeliveryError

T = TypeVar("T")
KEYWORDS = ("PIPELINING", "SIZE 50000000", "ENHANCEDSTATUSCODES", "8BITMIME")


@dataclass(eq=False)
class Transaction:
    """What one client sent; two equal ones are still two."""

    sender: str
    recipients: list[str] = field(default_factory=list)
    data: bytes = b""


class Peer:
    """What a server did; `port` is where it listens."""

    def __init__(
        self,
        rules: Sequence[tuple[str, str]] = (),
        *,
        greeting: str = "220 peer ESMTP",
        keywords: Sequence[str] = KEYWORDS,
        lmtp: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.tls = tls
        self.rules = list(rules)
        self.greeting = greeting
        self.keywords = keywords
        self.lmtp = lmtp
        self.port = 0
        self.sessions = 0
        self.lines: list[str] = []
        self.taken: list[Transaction] = []
        self.bytes_read = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()
        self._writers: list[asyncio.StreamWriter] = []

    def hang_up(self) -> None:
        """Close every connection from our side."""
        for writer in self._writers:
            writer.close()

    async def end(self) -> None:
        """Close everything and wait for it."""
        self._over.set()
        self.hang_up()
        await asyncio.gather(*self._tasks)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sessions += 1
        self._writers.append(writer)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if await self._say(writer, self.greeting):
                await self._converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # the client left: that is its right
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        current, mail_refused = Transaction(""), True
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            self.lines.append(line)
            verb = line.split(" ")[0].split(":")[0].upper()
            reply = self._reply(line)
            if verb in {"EHLO", "LHLO"} and reply.startswith("250"):
                reply = "\r\n".join(
                    [f"250-{word}" for word in ("peer", *self.keywords)] + ["250 HELP"]
                )
            if verb == "MAIL":
                current = Transaction(line)
                mail_refused = not reply.startswith("2")
            if verb == "RCPT" and mail_refused:
                reply = "503 5.5.1 need MAIL"
            if verb == "RCPT" and reply.startswith("2"):
                current.recipients.append(line)
            if verb == "DATA":
                default = "354 go on" if current.recipients else "554 5.5.1 no valid recipients"
                reply = reply if reply != "250 2.0.0 Ok" else default
            if verb == "BDAT":  # "BDAT 12" or "BDAT 12 LAST"
                current.data += await reader.readexactly(int(line.split(" ")[1]))
                if line.endswith(" LAST") and reply.startswith("2"):
                    self.taken.append(current)
            if not await self._say(writer, reply):
                return
            if verb == "STARTTLS" and self.tls is not None and reply.startswith("220"):
                await _start_tls(writer, self.tls)
                self.lines.append("(TLS)")
            if verb == "DATA" and reply.startswith("3"):
                current.data = await self._content(reader)
                finals = current.recipients if self.lmtp else [""]
                for recipient in finals:
                    final = self._reply(f". {recipient}".rstrip())
                    if final.startswith("2") and current not in self.taken:
                        self.taken.append(current)
                    if not await self._say(writer, final):
                        return
            if verb == "QUIT":
                return

    async def _content(self, reader: asyncio.StreamReader) -> bytes:
        data = b""
        while (line := await reader.readline()) != b".\r\n":
            if not line:
                raise asyncio.IncompleteReadError(b"", None)
            self.bytes_read += len(line)
            if self.bytes_read < 1_000_000:
                data += line.removeprefix(b".")
        return data

    def _reply(self, line: str) -> str:
        for prefix, reply in self.rules:
            if line.upper().startswith(prefix.upper()):
                return reply
        if line == "STARTTLS" and self.tls is not None:
            return "220 2.0.0 go ahead"
        return "221 2.0.0 Bye" if line.upper().startswith("QUIT") else "250 2.0.0 Ok"

    async def _say(self, writer: asyncio.StreamWriter, reply: str) -> bool:
        """False when the connection is over."""
        if reply == "!hang":
            await self._over.wait()
            return False
        if reply != "!close":
            writer.write(reply.removeprefix("!").encode("latin-1") + b"\r\n")
            await writer.drain()
        return not reply.startswith("!")


async def _start_tls(writer: asyncio.StreamWriter, context: ssl.SSLContext) -> None:
    """What StreamWriter.start_tls does, which leaves no transport when the client is gone."""
    protocol: Any = writer.transport.get_protocol()
    loop = asyncio.get_running_loop()
    made = await loop.start_tls(writer.transport, protocol, context, server_side=True)
    if made is None:
        raise ConnectionResetError
    vars(writer)["_transport"] = made
    protocol._replace_writer(writer)


@asynccontextmanager
async def serving(peer: Peer, address: str = "127.0.0.1") -> AsyncIterator[Peer]:
    """A listening peer; everything is closed at the end."""
    server = await asyncio.start_server(peer.serve, address, 0 if not peer.port else peer.port)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        await peer.end()
        await server.wait_closed()


class Mx(NamedTuple):
    preference: int
    host: str


class DnsDown(DeliveryError):
    """The DNS did not answer."""


class Dns:
    """A resolver over two dicts; names in `broken` cannot be asked."""

    def __init__(
        self,
        mx: dict[str, list[Mx]] | None = None,
        addresses: dict[str, list[str]] | None = None,
        broken: Sequence[str] = (),
    ) -> None:
        self._mx = mx or {}
        self._addresses = addresses or {}
        self._broken = broken
        self.asked: list[str] = []
        self.hosts: dict[str, str] = {}  # the hosts file

    async def mx(self, name: str) -> Sequence[Mx]:
        return self._answer("MX", name, self._mx)

    async def addresses(self, name: str, *, dns_alone: bool = False) -> Sequence[str]:
        if not dns_alone and name in self.hosts:
            return [self.hosts[name]]
        return self._answer("A", name, self._addresses)

    def _answer(self, kind: str, name: str, records: dict[str, list[T]]) -> list[T]:
        self.asked.append(f"{kind} {name}")
        if name in self._broken:
            raise DnsDown(name)
        return records.get(name, [])
