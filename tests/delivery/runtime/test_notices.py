"""What the postmaster is told of sessions that went wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from delivery.journal import Journal
from delivery.policy.verdict import Blame
from delivery.runtime.cleanup import Cleanup
from delivery.runtime.counters import Counters
from delivery.runtime.notices import KEPT, LINE, PER_HOUR, Notices, Transcript
from delivery.runtime.rules import ServiceRules
from delivery.smtp import replies
from delivery.smtp.events import Noop
from delivery.smtp.server import ServerProtocol
from delivery.smtp.settings import ServerSettings
from delivery.spool import Spool
from tests.delivery.runtime.asynchronous import asynchronous
from tests.delivery.runtime.rig import Clock, rules
from tests.delivery.spool.messages import NOW, leased, whole

CLIENT = "far.example[192.0.2.7]"


class Desk:
    """A spool, and notices into it."""

    def __init__(self, service: ServiceRules, spool: Spool, journal: Journal) -> None:
        self.service, self.spool, self.clock = service, spool, Clock()
        cleanup = Cleanup(spool, journal, Counters(), clock=self.clock)
        self.notices = Notices(cleanup, clock=self.clock)

    async def send(self, *blamed: Blame, said: Transcript | None = None) -> None:
        """One session that went wrong like this."""
        await self.notices.send(self.service, CLIENT, set(blamed), said or Transcript([]))


@asynccontextmanager
async def desk(path: Path, **values: str) -> AsyncIterator[Desk]:
    spool = Spool.open(path / "spool", now=NOW)
    await spool.start()
    journal = Journal(path / "journal")
    try:
        given = {"mydestination": "mx.test.example", "myorigin": "mx.test.example", **values}
        [service] = rules(path, values=given).services.values()
        yield Desk(service, spool, journal)
    finally:
        await spool.close()
        journal.close()


def dialogue() -> Transcript:
    why = "<nosuch@example.net>: Recipient address rejected: User unknown in local table"
    return Transcript(
        [
            ("", replies.greeting("mx.test.example ESMTP")),
            ("EHLO \x07c", replies.hello("mx.test.example", ("SIZE 1", "DSN"))),
            ("auth plain c2VjcmV0", replies.NO_AUTHENTICATION),
            ("RCPT TO:<nosuch@example.net>", replies.reply(550, "5.1.1", why)),
        ]
    )


@asynchronous
async def test_it_works(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        await made.send(Blame.SOFTWARE, said=dialogue())
        [queue_id] = made.spool.fresh()
        lease = await leased(made.spool, queue_id)
        text = (await whole(await made.spool.content(lease))).decode()
        assert lease.envelope.sender.text == "double-bounce@mx.test.example"
        [recipient] = lease.envelope.recipients
        assert recipient.address.text == "postmaster@mx.test.example"
        assert recipient.original.text == "postmaster"
    head, _, body = text.partition("\r\n\r\n")
    assert "\r\nTo: Postmaster <postmaster@mx.test.example>\r\n" in head
    assert f"\r\nSubject: Waypost SMTP server: errors from {CLIENT}\r\n" in head
    assert body.splitlines() == [
        "Transcript of session follows.",
        "",
        " Out: 220 mx.test.example ESMTP",
        " In:  EHLO ?c",
        " Out: 250-mx.test.example",
        " Out: 250-SIZE 1",
        " Out: 250 DSN",
        " In:  auth plain (hidden)",
        " Out: 503 5.5.1 Error: authentication not enabled",
        " In:  RCPT TO:<nosuch@example.net>",
        " Out: 550 5.1.1 <nosuch@example.net>: Recipient address rejected: User unknown",
        "     in local table",
        "",
        "",
        "For other details, see the local mail logfile",
    ]


@asynchronous
@pytest.mark.parametrize(
    "classes, blamed, told",
    [
        ("resource, software", (Blame.POLICY, Blame.PROTOCOL, Blame.BOUNCE), ""),
        ("policy", (), ""),
        ("policy", (Blame.POLICY, Blame.BOUNCE), "errors"),
        ("policy bounce", (Blame.POLICY, Blame.BOUNCE), "bounces"),
    ],
)
async def test_notify_classes(
    tmp_path: Path, classes: str, blamed: tuple[Blame, ...], told: str
) -> None:
    async with desk(
        tmp_path,
        notify_classes=classes,
        error_notice_recipient="errors",
        bounce_notice_recipient="bounces",
    ) as made:
        await made.send(*blamed)
        found = [await leased(made.spool, queue_id) for queue_id in made.spool.fresh()]
        assert [each.envelope.recipients[0].original.local for each in found] == [told] * bool(told)


@asynchronous
async def test_nobody_can_flood_the_postmaster(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        for _ in range(PER_HOUR + 5):
            await made.send(Blame.SOFTWARE)
        assert len(made.spool.fresh()) == PER_HOUR
        made.clock.now += 3600 / PER_HOUR
        await made.send(Blame.SOFTWARE)
        await made.send(Blame.SOFTWARE)
        assert len(made.spool.fresh()) == PER_HOUR + 1


def test_a_transcript_is_bounded() -> None:
    protocol = ServerProtocol(ServerSettings())
    protocol.send(replies.greeting("mx.test.example ESMTP"))
    for number in range(1000):
        protocol.receive_data(b"NOOP " + b"x" * 1500 + b"\r\n")
        assert protocol.next_event() == Noop()
        protocol.send(replies.reply(250, "", *(f"{number}" for _ in range(50))))
    assert len(protocol.said) == KEPT
    assert max(len(command) for command, _ in protocol.said) == LINE
    lines = list(Transcript(protocol.said).lines())
    assert len(lines) == KEPT
    assert max(map(len, lines)) <= LINE
    assert lines[-1] == " Out: 250 999"
