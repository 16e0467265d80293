"""Probes of address verification: agents say what they would do, and do nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from delivery.agents.base import Delivery
from delivery.agents.discard import DiscardAgent
from delivery.agents.error import ErrorAgent
from delivery.values import Route, Status
from tests.delivery.agents import test_local, test_mailbox, test_pipe
from tests.delivery.agents.helper import Helper
from tests.delivery.agents.peer import Peer, serving
from tests.delivery.agents.remotes import letter, make, summary
from tests.delivery.spool.messages import asynchronous, recipient


def probe(delivery: Delivery) -> Delivery:
    return replace(delivery, envelope=replace(delivery.envelope, is_probe=True))


@asynchronous
async def test_a_server_is_asked_and_given_nothing() -> None:
    async with serving(Peer()) as peer:
        [found] = (await make(peer).deliver(probe(letter()))).outcomes
        assert (found.status, found.dsn) == (Status.SENT, "2.0.0")
        assert found.reason == "250 2.0.0 Ok"
        assert peer.taken == []
        assert "DATA" not in peer.lines


@asynchronous
async def test_each_recipient_has_its_answer() -> None:
    async with serving(Peer([("RCPT TO:<no@", "550 5.1.1 no such user")])) as peer:
        people = (recipient("no@far.example"), recipient("yes@far.example"))
        found = summary(await make(peer).deliver(probe(letter(*people))))
        assert [each[0] for each in sorted(found)] == ["bounced", "sent"]


@pytest.mark.parametrize(
    ("answer", "status"),
    [("354 go on", Status.SENT), ("550 5.7.1 no", Status.BOUNCED), ("250 what?", Status.BOUNCED)],
)
def test_a_server_may_be_asked_up_to_data(answer: str, status: Status) -> None:
    @asynchronous
    async def run() -> None:
        async with serving(Peer([("DATA", answer)])) as peer:
            agent = make(peer, smtp_address_verify_target="data")
            [found] = (await agent.deliver(probe(letter()))).outcomes
            assert (found.status, peer.taken) == (status, [])
            assert peer.lines.count("DATA") == 1

    run()


@pytest.mark.parametrize(
    ("aliases", "settings", "name", "told"),
    [
        ({}, {}, "joe", "sent 2.0.0 delivers to mailbox"),
        ({}, {"home_mailbox": "Maildir/"}, "joe", "sent 2.0.0 delivers to maildir"),
        ({}, {"mailbox_command": "/bin/x"}, "joe", "sent 2.0.0 delivers to command: /bin/x"),
        ({"team": "joe, nobody"}, {}, "team", "sent 2.0.0 aliased to joe, nobody"),
        ({"pipe": '"|/bin/x y"'}, {}, "pipe", 'sent 2.0.0 aliased to "|/bin/x y"'),
        ({}, {}, "nobody", 'bounced 5.1.1 unknown user: "nobody"'),
        ({}, {"luser_relay": "x@far.example"}, "nobody", "sent 2.0.0 forwarded"),
    ],
)
def test_what_local_would_do(
    aliases: Mapping[str, str], settings: Mapping[str, str], name: str, told: str
) -> None:
    @asynchronous
    async def run() -> None:
        helper = Helper()
        agent = test_local.make(aliases, helper, **settings)
        address = recipient(f"{name}@example.com")
        result = await agent.deliver(probe(test_local.letter(address)))
        assert [line.partition(" ")[2] for line in test_local.told(result)] == [told]
        assert result.forwards == ()
        assert helper.done == []

    run()


@asynchronous
async def test_virtual_looks_for_the_mailbox(tmp_path: Path) -> None:
    async with test_mailbox.writing() as writer:
        agent = test_mailbox.agent(writer, tmp_path)
        for name, status in (("joe", Status.SENT), ("no", Status.BOUNCED)):
            delivery = test_mailbox.letter(recipient(f"{name}@example.com"))
            [found] = (await agent.deliver(probe(delivery))).outcomes
            assert found.status is status
        assert test_mailbox.files(tmp_path) == []


@asynchronous
async def test_a_command_is_not_run() -> None:
    helper = Helper()
    agent = test_pipe.make("user=uucp argv=uux -r", helper)
    [found] = (await agent.deliver(probe(test_pipe.posting()))).outcomes
    assert (found.status, found.reason) == (Status.SENT, "delivers to command: uux")
    assert helper.orders == []


@asynchronous
async def test_error_and_discard_are_as_for_mail() -> None:
    delivery = probe(replace(letter(), route=Route("error", "5.7.1 no probes")))
    [found] = (await ErrorAgent(Status.BOUNCED).deliver(delivery)).outcomes
    assert (found.status, found.dsn) == (Status.BOUNCED, "5.7.1")
    [found] = (await DiscardAgent().deliver(delivery)).outcomes
    assert found.status is Status.SENT
