"""dovecotpeer - an authentication service that answers as Dovecot does, by a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.delivery.runtime.asynchronous import until

INTRODUCTION = (
    "VERSION\t1\t2",
    "MECH\tPLAIN\tplaintext",
    "MECH\tLOGIN\tplaintext",
    "MECH\tCRAM-MD5\tdictionary\tactive",
    "MECH\tANONYMOUS\tanonymous",
    "MECH\tEXTERNAL\tprivate",
    "SPID\t1",
    "CUID\t1",
    "COOKIE\t00",
    "DONE",
)
OK = "OK\t{}\tuser=joe"
FAIL = "FAIL\t{}\tuser=joe"
SILENCE = ""
HANG_UP = "hang up"


class DovecotPeer:
    """Answers requests one after the other, the last answer for ever; {} is the number."""

    def __init__(self, answers: Sequence[str], introduction: Sequence[str]) -> None:
        self.answers = list(answers)
        self.introduction = introduction
        self.requests: list[str] = []
        self.connections = 0
        self.open = 0
        self.hang_up: Callable[[], None] = lambda: None  # of the last connection

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self.hang_up = writer.close
        try:
            writer.write("".join(f"{line}\n" for line in self.introduction).encode())
            while line := (await reader.readline()).decode().rstrip("\n"):
                if line.startswith(("VERSION", "CPID")):
                    continue
                self.requests.append(line)
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer == HANG_UP:
                    return
                if answer:
                    writer.write(f"{answer.format(line.split(chr(9))[1])}\n".encode())
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            writer.close()


@asynccontextmanager
async def dovecot(
    path: Path, *answers: str, introduction: Sequence[str] = INTRODUCTION
) -> AsyncIterator[DovecotPeer]:
    """One that listens at path/auth. Whoever connected has to hang up first."""
    peer = DovecotPeer(answers or (OK,), introduction)
    server = await asyncio.start_unix_server(peer, path / "auth")
    try:
        yield peer
    finally:
        server.close()
        peer.hang_up()
        await until(lambda: peer.open == 0)
