"""error, retry and discard; and that settings fit the parameters they are filled from."""

from __future__ import annotations

import pytest

from delivery.addressees import BounceSettings
from delivery.agents.base import Agent, Delivery
from delivery.agents.discard import DiscardAgent
from delivery.agents.error import ErrorAgent
from delivery.agents.local import LocalSettings
from delivery.agents.mailbox import MailboxSettings
from delivery.agents.patience import Timeouts
from delivery.agents.pipe import PipeSettings
from delivery.agents.remote import RemoteSettings
from delivery.spool.schedule import QueueTimes
from delivery.values import Content, Envelope, Route, Status
from tables.addresses import Address
from tables.parameters import Parameters
from tests.delivery.spool.messages import asynchronous, recipient

ERROR, RETRY, DISCARD = ErrorAgent(), ErrorAgent(Status.DEFERRED), DiscardAgent()


@pytest.mark.parametrize(
    "agent, nexthop, expected",
    [
        (ERROR, "5.1.6 User has moved to x@y", ("bounced", "5.1.6", "User has moved to x@y")),
        (ERROR, "no mailbox", ("bounced", "5.0.0", "no mailbox")),
        (ERROR, "4.2.1 off today", ("bounced", "5.2.1", "off today")),
        (ERROR, "", ("bounced", "5.0.0", "mail is undeliverable")),
        (ERROR, "5.1.1", ("bounced", "5.1.1", "mail is undeliverable")),
        (RETRY, "5.3.2 later", ("deferred", "4.3.2", "later")),
        (RETRY, "", ("deferred", "4.0.0", "mail is undeliverable")),
        (DISCARD, "far.example", ("sent", "2.0.0", "far.example")),
        (DISCARD, "", ("sent", "2.0.0", "discarded")),
    ],
)
def test_it_works(agent: Agent, nexthop: str, expected: tuple[str, str, str]) -> None:
    people = (recipient("a@x.example"), recipient("b@x.example"))

    @asynchronous
    async def run() -> None:
        delivery = Delivery(
            queue_id="Q",
            envelope=Envelope(sender=Address("", ""), recipients=people),
            route=Route("error", nexthop),
            recipients=people,
            content=Content(size=0),
            arrived=0.0,
        )
        result = await agent.deliver(delivery)
        assert [item.recipient for item in result.outcomes] == list(people)
        for outcome in result.outcomes:
            assert (outcome.status.value, outcome.dsn, outcome.reason) == expected
            assert outcome.relay == "none"

    run()


@pytest.mark.parametrize(
    "settings",
    [
        QueueTimes,
        BounceSettings,
        MailboxSettings,
        RemoteSettings,
        LocalSettings,
        PipeSettings,
        Timeouts,
    ],
)
def test_settings_are_filled_from_parameters_and_have_their_defaults(settings: type) -> None:
    bound = Parameters({"myhostname": "localhost", "virtual_mailbox_base": "/v"}).bind(settings)
    own = settings(virtual_mailbox_base="/v") if settings is MailboxSettings else settings()
    assert bound == own
