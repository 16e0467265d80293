"""The local agent: aliases become new messages, users go to their mailbox transport."""

from __future__ import annotations

from dataclasses import replace

import pytest

from delivery.agents.base import Delivery, Result, settle
from delivery.agents.local import LocalAgent, LocalSettings
from delivery.values import Content, Envelope, Recipient, Route, Status
from tables.addresses import Address
from tests.delivery.agents.tables import DictMaps
from tests.delivery.spool.messages import asynchronous, recipient


class Mailboxes:
    """An agent that notes what it is given."""

    def __init__(self, status: Status = Status.SENT) -> None:
        self.status = status
        self.seen: list[Delivery] = []

    async def deliver(self, delivery: Delivery) -> Result:
        self.seen.append(delivery)
        return Result(
            outcomes=settle(delivery.recipients, self.status, "2.0.0", "delivered to maildir")
        )


def make(
    aliases: dict[str, str] | DictMaps,
    mailboxes: Mailboxes | None = None,
    *,
    users: str = "joe ann",
    delimiter: str = "",
) -> LocalAgent:
    agent = mailboxes or Mailboxes()
    return LocalAgent(
        LocalSettings(recipient_delimiter=delimiter),
        aliases if isinstance(aliases, DictMaps) else DictMaps(aliases),
        DictMaps(dict.fromkeys(users.split(), "virtual:")),
        is_local=lambda domain: domain.lower() == "example.com",
        agent=lambda transport: agent if transport == "virtual" else None,
    )


def letter(*recipients: Recipient, text: bytes = b"Subject: x\r\n\r\n") -> Delivery:
    return Delivery(
        queue_id="Q",
        envelope=Envelope(
            sender=Address("sam", "sender.example"), recipients=recipients, envid="e", ret="HDRS"
        ),
        route=Route("local", "example.com"),
        recipients=recipients,
        content=Content(size=len(text), data=text),
        arrived=0.0,
    )


def summary(result: Result) -> list[tuple[str, str, str]]:
    return [(item.status.value, item.dsn, item.reason) for item in result.outcomes]


def forwarded(result: Result) -> list[list[str]]:
    return [
        [item.address.text for item in forward.envelope.recipients] for forward in result.forwards
    ]


async def deliver(aliases: dict[str, str], text: str = "team@example.com") -> Result:
    return await make(aliases).deliver(letter(recipient(text)))


@asynchronous
async def test_it_works() -> None:
    result = await deliver({"team": "joe, ann@far.example"})
    assert summary(result) == [("sent", "2.0.0", "alias expanded")]
    assert forwarded(result) == [["joe@example.com", "ann@far.example"]]
    [forward] = result.forwards
    assert forward.headers == b"Delivered-To: team@example.com\r\n"
    assert forward.envelope.sender == Address("sam", "sender.example")
    assert (forward.envelope.envid, forward.envelope.ret) == ("e", "HDRS")
    assert forward.envelope.client is None
    assert forward.origin == recipient("team@example.com")
    assert forward.envelope.recipients[0].original == Address("team", "example.com")


@asynchronous
async def test_a_user_goes_to_the_mailbox_transport() -> None:
    mailboxes = Mailboxes()
    result = await make({}, mailboxes).deliver(letter(recipient("Joe@example.com")))
    assert summary(result) == [("sent", "2.0.0", "delivered to maildir")]
    [seen] = mailboxes.seen
    assert seen.route == Route("virtual", "example.com")
    assert seen.recipients == (recipient("Joe@example.com"),)


@asynchronous
async def test_an_unknown_user_is_returned() -> None:
    assert summary(await deliver({}, "Nobody@example.com")) == [
        ("bounced", "5.1.1", 'unknown user: "nobody"')
    ]


@asynchronous
async def test_aliases_of_aliases_are_one_step() -> None:
    result = await deliver({"team": "a, b", "a": "c, joe", "b": "c, ann@example.com", "c": "x@y.z"})
    assert forwarded(result) == [["x@y.z", "joe@example.com", "ann@example.com"]]


@asynchronous
async def test_an_alias_to_itself_means_the_user() -> None:
    mailboxes = Mailboxes()
    for value in ("joe, ann@far.example", "Joe@example.com, ann@far.example"):
        mailboxes.seen.clear()
        agent = make({"joe": value}, mailboxes)
        result = await agent.deliver(letter(recipient("joe@example.com")))
        assert summary(result) == [("sent", "2.0.0", "delivered to maildir")]
        assert forwarded(result) == [["ann@far.example"]]
        assert len(mailboxes.seen) == 1


@asynchronous
async def test_nothing_is_forwarded_while_the_users_mailbox_has_to_wait() -> None:
    agent = make({"joe": "joe, ann@far.example"}, Mailboxes(Status.DEFERRED))
    result = await agent.deliver(letter(recipient("joe@example.com")))
    assert summary(result)[0][0] == "deferred"
    assert result.forwards == ()


@asynchronous
async def test_an_alias_to_itself_without_such_a_user_is_returned_beside_the_forward() -> None:
    agent = make({"self": "self, joe"})
    result = await agent.deliver(letter(recipient("self@example.com")))
    assert summary(result) == [("bounced", "5.1.1", 'unknown user: "self"')]
    assert forwarded(result) == [["joe@example.com"]]


@pytest.mark.parametrize(
    "aliases",
    [
        {"team": "b", "b": "team"},
        {"team": "b", "b": "c", "c": "b@example.com"},
        {"team": "joe, b", "b": "c", "c": "d", "d": "TEAM"},
        {"team": "n0"} | {f"n{n}": f"n{n + 1}" for n in range(150)},
    ],
)
def test_circles_are_returned(aliases: dict[str, str]) -> None:
    @asynchronous
    async def run() -> None:
        result = await deliver(aliases)
        [(status, dsn, reason)] = summary(result)
        assert (status, dsn) == ("bounced", "5.4.6")
        assert reason.startswith("alias database loop for ")
        assert result.forwards == ()

    run()


@asynchronous
async def test_a_message_that_was_here_before_is_returned() -> None:
    text = b"Delivered-To: TEAM@example.com\r\n\r\nDelivered-To: joe@example.com\r\n"
    people = (recipient("team@example.com"), recipient("joe@example.com"))
    result = await make({"team": "ann"}).deliver(letter(*people, text=text))
    assert summary(result) == [
        ("bounced", "5.4.6", "mail forwarding loop for team@example.com"),
        ("sent", "2.0.0", "delivered to maildir"),
    ]


@pytest.mark.parametrize(
    "value, dsn, reason",
    [
        ("|/bin/cat", "5.7.1", "mail to command is restricted"),
        ('"|/bin/cat x"', "5.7.1", "mail to command is restricted"),
        ("/var/tmp/box", "5.7.1", "mail to file is restricted"),
        (":include:/etc/list", "5.3.5", "mail to include file is restricted"),
    ],
)
def test_what_is_not_allowed_is_returned_and_the_rest_goes_on(
    value: str, dsn: str, reason: str
) -> None:
    @asynchronous
    async def run() -> None:
        result = await deliver({"team": f"{value}, ann@far.example"})
        assert summary(result) == [("bounced", dsn, reason)]
        assert forwarded(result) == [["ann@far.example"]]

    run()


@pytest.mark.parametrize(
    "notify, expected",
    [
        ((), ()),
        (("SUCCESS",), ("NEVER",)),
        (("SUCCESS", "FAILURE"), ("FAILURE",)),
        (("NEVER",), ("NEVER",)),
    ],
)
def test_success_is_reported_once(notify: tuple[str, ...], expected: tuple[str, ...]) -> None:
    @asynchronous
    async def run() -> None:
        person = replace(
            recipient("team@example.com"), notify=frozenset(notify), orcpt="rfc822;a@b"
        )
        result = await make({"team": "ann@far.example"}).deliver(letter(person))
        [new] = result.forwards[0].envelope.recipients
        assert (new.notify, new.orcpt) == (frozenset(expected), "rfc822;a@b")

    run()


@asynchronous
async def test_extensions_are_cut_off_when_there_is_no_alias_for_them() -> None:
    agent = make({"team": "a@x.example", "team+x": "b@x.example"}, delimiter="+")
    found = []
    for name in ("team+x", "team+y", "joe+z", "nobody+z"):
        result = await agent.deliver(letter(recipient(f"{name}@example.com")))
        found.append((summary(result)[0][0], forwarded(result)))
    assert found == [
        ("sent", [["b@x.example"]]),
        ("sent", [["a@x.example"]]),
        ("sent", []),
        ("bounced", []),
    ]


@asynchronous
async def test_a_table_that_cannot_be_asked_means_later() -> None:
    result = await make(DictMaps(broken=True)).deliver(letter(recipient("joe@example.com")))
    assert summary(result) == [("deferred", "4.3.0", "alias database unavailable")]


@asynchronous
async def test_an_entry_that_cannot_be_read_means_later() -> None:
    assert summary(await deliver({"team": "@far.example"}))[0][:2] == ("deferred", "4.3.5")


@asynchronous
async def test_mail_for_postmaster_without_alias_is_discarded_as_postfix_does() -> None:
    for name in ("Postmaster", "MAILER-DAEMON", "double-bounce"):
        assert summary(await deliver({}, f"{name}@example.com")) == [("sent", "2.0.0", "discarded")]


@asynchronous
async def test_a_mailbox_transport_without_agent_means_later() -> None:
    agent = LocalAgent(
        LocalSettings(),
        DictMaps(),
        DictMaps({"joe": "nosuch:", "ann": "a b:c"}),
        is_local=lambda domain: True,
        agent=lambda transport: None,
    )
    people = (recipient("joe@example.com"), recipient("ann@example.com"))
    result = await agent.deliver(letter(*people))
    assert [item.status for item in result.outcomes] == [Status.DEFERRED, Status.DEFERRED]
