"""talker - a client of the SMTP server without a socket between them."""

from __future__ import annotations

from delivery.runtime.cleanup import Cleanup
from delivery.runtime.dialogue import Dialogue
from delivery.runtime.dovecot import Logins
from delivery.runtime.rules import Rules, ServiceRules
from delivery.smtp.events import NEED_DATA, ContentChunk
from delivery.smtp.replies import Reply
from delivery.smtp.server import ServerProtocol
from delivery.spool import Lease, Spool
from delivery.values import Client
from tests.delivery.runtime.counts import CountsHere
from tests.delivery.spool.messages import leased
from tests.delivery.twins_policy import MemoryAsk

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
