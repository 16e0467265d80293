"""asking - claims about mail, answered by the engine's own code on the published generation.

SUMMARY      await ask(root, home, question) -> answer
QUESTIONS    postmap -q KEY TABLE          the value, or "nothing"
             setting NAME                  the value as the engine reads it
             CLIENT: SENDER -> RECIPIENT   what an SMTP session ends with: the code of a refusal;
                                           otherwise what is queued: "SENDER to RECIPIENT by
                                           TRANSPORT:NEXTHOP, ...", or "through FILTER".
                                           CLIENT is an address, or address=name
             local NAME                    what the local agent does: "USER: PATH or COMMAND, ..."
                                           and "SENDER mails RECIPIENT"
RULES        the same rules, dialogue, cleanup, router and local agent that `python -m delivery`
             runs; only sockets, DNS, accounts (joe, jane) and the helper that writes are twins
"""

from __future__ import annotations

import io
from pathlib import Path

from delivery.agents.base import Delivery
from delivery.agents.local import LocalAgent, LocalSettings
from delivery.config import Config
from delivery.journal import Journal
from delivery.postmap import run as postmap
from delivery.runtime.cleanup import Cleanup
from delivery.runtime.counters import Counters
from delivery.runtime.rules import Rules
from delivery.spool import Spool
from delivery.values import Client, Content, Envelope, Recipient, Route
from tables.addresses import Address
from tables.reading.snapshot import Snapshot
from tests.delivery.agents.helper import Accounts, Helper
from tests.delivery.runtime.talker import Talker
from tests.delivery.spool.messages import leased

LETTER = "From: <{}>\r\nSubject: x\r\n\r\ny\r\n.\r\n"
HERE = "mx.example.com"
_KEPT: list[Rules] = []  # their tables are open files, which complain when the collector ends them


class Engine:
    """The generation in force, to be asked."""

    def __init__(self, root: Path, home: Path) -> None:
        self._home = home
        self._rules = Rules(Snapshot.open(root), Config(home=home))
        _KEPT.append(self._rules)

    async def ask(self, question: str) -> str:
        """The answer to one question of a claim."""
        match question.split():
            case ["postmap", "-q", key, table]:
                return self._postmap(key, table)
            case ["setting", name]:
                return self._rules.parameters.text(name)
            case ["local", name]:
                return await self._local(name)
            case [client, sender, "->", recipient] if client.endswith(":"):
                return await self._mail(client[:-1], sender.strip("<>"), recipient)
        raise AssertionError(f"{question}: not a question")

    def _postmap(self, key: str, table: str) -> str:
        out = io.StringIO()
        found = postmap(["-q", key, table], io.StringIO(), out) == 0
        return out.getvalue().strip() if found else "nothing"

    async def _mail(self, client: str, sender: str, recipient: str) -> str:
        spool = Spool.open(self._home / "asked-spool")
        await spool.start()
        journal = Journal(self._home / "asked-journal")
        try:
            cleanup = Cleanup(spool, journal, Counters())
            refusal = await self._said(cleanup, spool, client, sender, recipient)
            if refusal:
                return refusal
            [queue_id] = spool.fresh()
            return self._queued((await leased(spool, queue_id)).envelope)
        finally:
            await spool.close()
            journal.close()

    async def _said(
        self, cleanup: Cleanup, spool: Spool, client: str, sender: str, recipient: str
    ) -> str:
        """Say a whole message; the code and status of what was refused."""
        address, _, name = client.partition("=")
        peer = Client(address=address, port=4000, name=name or "unknown", reverse_name=name)
        service = self._rules.services["smtp"]
        talker = Talker(self._rules, service, cleanup, spool, peer)
        lines = ("EHLO there", f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>", "DATA")
        for line in (*lines, LETTER.format(sender)):
            [reply] = await talker.say(line)
            if reply[0] not in "23":
                return " ".join(reply.split()[:2])
        return ""

    def _queued(self, envelope: Envelope) -> str:
        router = self._rules.router
        sender, told = envelope.sender.internal or "<>", []
        if envelope.filter:
            names = ", ".join(recipient.address.internal for recipient in envelope.recipients)
            return f"{sender} to {names} through {envelope.filter}"
        for recipient in envelope.recipients:
            resolution = router.resolve(recipient.address, envelope.sender)
            route, address = resolution.route, resolution.recipient.internal
            told.append(f"{address} by {route.transport}:{route.nexthop}")
        return f"{sender} to " + ", ".join(told)

    async def _local(self, name: str) -> str:
        parameters, snapshot = self._rules.parameters, self._rules.snapshot
        helper = Helper()
        agent = LocalAgent(
            parameters.bind(LocalSettings),
            snapshot.maps(parameters.text("alias_maps")),
            snapshot.maps(parameters.text("mailbox_transport_maps")),
            mailbox_commands=snapshot.maps(parameters.text("mailbox_command_maps")),
            fallback_transports=snapshot.maps(parameters.text("fallback_transport_maps")),
            agent=lambda transport: None,
            router=self._rules.router,
            helper=helper,
            users=Accounts("joe", "jane"),
        )
        result = await agent.deliver(letter(name))
        told = list(helper.done)
        for forward in result.forwards:
            sender = forward.envelope.sender.internal
            told += (f"{sender} mails {to.address.internal}" for to in forward.envelope.recipients)
        told += (outcome.dsn for outcome in result.outcomes if not outcome.dsn.startswith("2"))
        return ", ".join(told)


def letter(name: str) -> Delivery:
    """A message for a name of this machine."""
    to = Recipient(address=Address(name, HERE), original=Address(name, HERE))
    text = b"Subject: x\r\n\r\ny\r\n"
    return Delivery(
        queue_id="Q",
        envelope=Envelope(
            sender=Address("sam", "far.example"),
            recipients=(to,),
            client=Client(address="203.0.113.9", port=4000),
            helo="there",
        ),
        route=Route("local", HERE),
        recipients=(to,),
        content=Content(size=len(text), data=text),
        arrived=0.0,
    )
