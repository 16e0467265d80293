"""talker - a client of the SMTP server without a socket between them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from delivery.journal import Journal
from delivery.runtime.cleanup import Cleanup
from delivery.runtime.counters import Counters
from delivery.runtime.dialogue import Dialogue
from delivery.runtime.dovecot import Logins
from delivery.runtime.rules import Rules, ServiceRules
from delivery.smtp.events import NEED_DATA, ContentChunk
from delivery.smtp.replies import Reply
from delivery.smtp.server import ServerProtocol
from delivery.spool import Lease, Spool
from delivery.values import Client
from tables.writing.rows import TableRecord
from tests.delivery.runtime.counts import CountsHere
from tests.delivery.runtime.rig import rules
from tests.delivery.spool.messages import NOW, leased
from tests.delivery.twins_policy import MemoryAsk

LETTER = "Subject: x\r\n\r\ny\r\n.\r\n"
CLIENT = Client(address="192.0.2.7", port=4000)


class Talker:
    """A protocol and its dialogue, without a socket between them."""

    def __init__(
        self,
        given: Rules,
        service: ServiceRules,
        cleanup: Cleanup,
        spool: Spool,
        client: Client = CLIENT,
    ) -> None:
        self.rules = given
        self.ask = MemoryAsk()
        self.logins = Logins()
        self.spool = spool
        self.protocol = ServerProtocol(service.server)
        self.dialogue = Dialogue(
            service,
            cleanup,
            self.ask,
            self.logins,
            client,
            ("192.0.2.1", 25),
            self.protocol,
            CountsHere(),
        )
        self.service = service

    async def say(self, *lines: str) -> list[str]:
        """The replies to these lines, in order; the greeting first."""
        replies: list[str] = []
        if self.protocol.state.value == "connect":
            self.protocol.send(await self.dialogue.greet())
        for line in lines:
            text = line if line.endswith("\n") else f"{line}\r\n"
            self.protocol.receive_data(text.encode("utf-8", "surrogateescape"))
            while (event := self.protocol.next_event()) is not NEED_DATA:
                if isinstance(event, ContentChunk):
                    self.dialogue.take(event.data)
                    continue
                answer = self.dialogue.answer(event)  # type: ignore[arg-type]
                reply = answer if isinstance(answer, Reply) else await answer
                self.protocol.send(reply)
                replies.append(str(reply))
                if self.protocol.closed:
                    return replies
        return replies

    async def queued(self) -> list[Lease]:
        """What came into the queue."""
        return [await leased(self.spool, queue_id) for queue_id in self.spool.fresh()]


@asynccontextmanager
async def talking(
    path: Path, *, tables: Iterable[TableRecord] = (), **values: str
) -> AsyncIterator[Talker]:
    given = rules(path, tables=tables, values=values)
    spool = Spool.open(path / "spool", now=NOW)
    await spool.start()
    journal = Journal(path / "journal")
    try:
        cleanup = Cleanup(spool, journal, Counters(), clock=lambda: NOW)
        [service] = given.services.values()
        yield Talker(given, service, cleanup, spool)
    finally:
        await spool.close()
        journal.close()


def journal_of(path: Path) -> list[dict[str, Any]]:
    files = sorted((path / "journal").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_bytes().splitlines()]
