"""The local agent: what becomes of local names, one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from delivery.agents.base import Delivery, Result, settle
from delivery.agents.local import LocalAgent, LocalSettings
from delivery.courier.wire import Answer, Append, Run, Store
from delivery.routing.router import Router
from delivery.values import Client, Content, Envelope, Recipient, Route, Status
from tables.addresses import Address
from tables.parameters import Parameters
from tables.reading.lookup import Maps
from tests.delivery.agents.helper import Accounts, Helper
from tests.delivery.agents.tables import DictMaps
from tests.delivery.spool.messages import asynchronous, recipient

MAIN = {
    "myhostname": "mx.example.com",
    "mydestination": "example.com",
    "myorigin": "example.com",
    "mynetworks": "127.0.0.0/8",
}


class NoTables:
    def maps(self, spec: str) -> Maps:
        return Maps([])


class Mailboxes:
    """An agent that notes what it is given."""

    def __init__(self, status: Status = Status.SENT) -> None:
        self.status = status
        self.seen: list[Delivery] = []

    async def deliver(self, delivery: Delivery) -> Result:
        self.seen.append(delivery)
        dsn = "2.0.0" if self.status is Status.SENT else "4.2.0"
        return Result(outcomes=settle(delivery.recipients, self.status, dsn, "by another"))


def make(
    aliases: dict[str, str] | DictMaps,
    helper: Helper | None = None,
    *,
    other: Mailboxes | None = None,
    transports: dict[str, str] | None = None,
    commands: dict[str, str] | None = None,
    fallback: dict[str, str] | None = None,
    users: str = "joe ann f.x",
    destination_limit: int = 1000,
    **settings: Any,
) -> LocalAgent:
    agent = other or Mailboxes()
    return LocalAgent(
        LocalSettings(**settings),
        aliases if isinstance(aliases, DictMaps) else DictMaps(aliases),
        DictMaps(transports or {}),
        agent=lambda transport: agent if transport == "virtual" else None,
        router=Router(Parameters(MAIN), NoTables()),
        mailbox_commands=DictMaps(commands or {}),
        fallback_transports=DictMaps(fallback or {}),
        helper=helper or Helper(),
        users=Accounts(*users.split()),
        destination_limit=destination_limit,
    )


def letter(*recipients: Recipient, text: bytes = b"Subject: x\r\n\r\n") -> Delivery:
    return Delivery(
        queue_id="Q",
        envelope=Envelope(
            sender=Address("sam", "sender.example"),
            recipients=recipients,
            client=Client(address="192.0.2.7", port=1, name="mx.sender.example"),
            helo="client",
            envid="e",
            ret="HDRS",
        ),
        route=Route("local", "example.com"),
        recipients=recipients,
        content=Content(size=len(text), data=text),
        arrived=0.0,
    )


def told(result: Result) -> list[str]:
    """address status dsn reason, of every part of every recipient."""
    outcomes = [
        part.outcome
        for outcome in result.outcomes
        for part in result.parts.get(outcome.recipient, ())
        if not part.is_news
    ] or list(result.outcomes)
    return [
        f"{item.recipient.address.internal} {item.status.value} {item.dsn} {item.reason}"
        for item in outcomes
    ]


def ends(result: Result) -> list[str]:
    return [item.status.value for item in result.outcomes]


def forwarded(result: Result) -> dict[str, list[str]]:
    return {
        forward.envelope.sender.internal: [
            item.address.internal for item in forward.envelope.recipients
        ]
        for forward in result.forwards
    }


async def deliver(agent: LocalAgent, text: str = "team@example.com") -> Result:
    return await agent.deliver(letter(recipient(text)))


SAM = "sam@sender.example"


@asynchronous
async def test_it_works() -> None:
    helper = Helper()
    result = await deliver(make({"team": "joe, ann@far.example"}, helper))
    assert told(result) == [
        "joe@example.com sent 2.0.0 delivered to mailbox",
        "team@example.com sent 2.0.0 forwarded",
    ]
    assert ends(result) == ["sent"]
    assert helper.done == ["joe: /var/mail/joe"]
    assert forwarded(result) == {SAM: ["ann@far.example"]}
    [forward] = result.forwards
    assert forward.headers == b"Delivered-To: team@example.com\r\n"
    assert (forward.envelope.envid, forward.envelope.ret) == ("e", "HDRS")
    assert forward.origin == recipient("team@example.com")
    assert forward.envelope.recipients[0].original == Address("team", "example.com")


@asynchronous
async def test_a_mailbox_gets_what_it_needs() -> None:
    helper = Helper()
    result = await deliver(make({}, helper, recipient_delimiter="+"), "Joe+X@example.com")
    assert told(result) == ["Joe+X@example.com sent 2.0.0 delivered to mailbox"]
    assert result.parts == {}
    [order] = [order for order in helper.orders if isinstance(order, Append)]
    lines = order.prefix.splitlines()
    assert lines[0].startswith("From sam@sender.example  ")
    assert lines[1:] == [
        "Return-Path: <sam@sender.example>",
        "X-Original-To: Joe+X@example.com",
        "Delivered-To: Joe+X@example.com",
    ]
    assert (order.is_mailbox, order.owned, order.locks) == (True, True, ("fcntl", "dotlock"))


@pytest.mark.parametrize(
    "settings, done",
    [
        ({"home_mailbox": "Mailbox"}, "joe: /home/joe/Mailbox"),
        ({"home_mailbox": "Maildir/"}, "joe: /home/joe/Maildir/"),
        ({"mail_spool_directory": "/spool/"}, "joe: /spool/joe/"),
        ({"mailbox_command": "/bin/lmtp -a $USER"}, "joe: /bin/lmtp -a $USER"),
        ({"mailbox_command": "x", "commands": {"joe": "y z"}}, "joe: y z"),
    ],
)
def test_where_a_users_mail_goes(settings: dict[str, Any], done: str) -> None:
    @asynchronous
    async def run() -> None:
        helper = Helper()
        result = await deliver(make({}, helper, **settings), "joe@example.com")
        assert ends(result) == ["sent"]
        assert helper.done == [done]
        assert isinstance(helper.orders[-1], Store) == done.endswith("/")

    run()


@asynchronous
async def test_a_transport_may_have_the_mailboxes() -> None:
    for settings in (
        {"transports": {"joe": "virtual:"}},
        {"mailbox_transport": "virtual"},
    ):
        other = Mailboxes()
        result = await deliver(make({"team": "joe"}, other=other, **settings))
        assert told(result) == ["joe@example.com sent 2.0.0 by another"]
        [seen] = other.seen
        assert seen.route == Route("virtual", "example.com")
        [part] = result.parts[recipient("team@example.com")]
        assert part.route == seen.route


@asynchronous
async def test_unknown_users() -> None:
    unknown = 'nobody@example.com bounced 5.1.1 unknown user: "nobody"'
    assert told(await deliver(make({}), "nobody@example.com")) == [unknown]
    result = await deliver(make({}, luser_relay="$user+$local@far.example"), "nobody@example.com")
    assert forwarded(result) == {SAM: ["nobody+nobody@far.example"]}
    result = await deliver(make({}, luser_relay="$recipient"), "nobody@example.com")
    assert told(result) == [unknown]
    other = Mailboxes()
    await deliver(make({}, other=other, fallback={"nobody": "virtual:x"}), "nobody@example.com")
    await deliver(make({}, other=other, fallback_transport="virtual:y"), "nobody@example.com")
    assert [seen.route.nexthop for seen in other.seen] == ["x", "y"]
    assert told(await deliver(make({}), "broken@example.com"))[0].endswith(
        "4.0.0 user lookup error"
    )


@asynchronous
async def test_mail_for_postmaster_without_alias_is_discarded_as_postfix_does() -> None:
    for name in ("Postmaster", "MAILER-DAEMON", "double-bounce"):
        result = await deliver(make({}), f"{name}@example.com")
        assert told(result) == [f"{name}@example.com sent 2.0.0 discarded"]


@asynchronous
async def test_everything_in_an_alias_has_an_outcome_of_its_own() -> None:
    helper = Helper(answers={"/bin/no": Answer(dsn="5.3.0", exit_status=67, output="who?\n")})
    value = '"|/bin/no", "|/bin/cat \'a b\'", /var/box, /var/dir/, nobody, joe, joe, "open'
    result = await deliver(make({"team": value}, helper))
    assert told(result) == ["team@example.com bounced 5.1.3 bad recipient address syntax: " + value]
    result = await deliver(make({"team": value.removesuffix(', "open')}, helper))
    assert told(result) == [
        "team@example.com bounced 5.1.1 user unknown. Command output: who? ",
        "team@example.com sent 2.0.0 delivered to command: /bin/cat 'a b'",
        "team@example.com sent 2.0.0 delivered to file: /var/box",
        "team@example.com sent 2.0.0 delivered to maildir",
        'nobody@example.com bounced 5.1.1 unknown user: "nobody"',
        "joe@example.com sent 2.0.0 delivered to mailbox",
    ]
    assert ends(result) == ["bounced"]
    assert helper.done[1:4] == ["nobody: /bin/cat 'a b'", "nobody: /var/box", "nobody: /var/dir/"]


@asynchronous
async def test_what_has_to_be_tried_again_keeps_the_recipient_and_forwards_nothing() -> None:
    helper = Helper(answers={"/bin/later": Answer(dsn="4.3.0", exit_status=75)})
    result = await deliver(make({"team": "|/bin/later, nobody, joe, a@far.example"}, helper))
    assert ends(result) == ["deferred"]
    assert [line.split()[1] for line in told(result)] == ["deferred", "bounced", "sent"]
    assert result.forwards == ()


@asynchronous
async def test_an_alias_to_itself_means_the_user() -> None:
    for value in ("joe, a@far.example", "Joe@example.com, a@far.example", "\\joe, a@far.example"):
        helper = Helper()
        result = await deliver(make({"joe": value}, helper), "joe@example.com")
        assert helper.done == ["joe: /var/mail/joe"]
        assert forwarded(result) == {SAM: ["a@far.example"]}
    result = await deliver(make({"self": "self, joe"}), "self@example.com")
    assert [line.split()[1] for line in told(result)] == ["bounced", "sent"]


@asynchronous
async def test_a_backslash_means_the_mailbox() -> None:
    helper = Helper(files={"/home/ann/.forward": "a@far.example\n"})
    agent = make({"slash": r"\\ann", "ann": "joe"}, helper)
    result = await deliver(agent, "slash@example.com")
    assert told(result) == ["ann@example.com sent 2.0.0 delivered to mailbox"]
    assert helper.done == ["ann: /var/mail/ann"]
    assert [line.split()[1] for line in told(await deliver(make({}), r"\nosuch@example.com"))] == [
        "bounced"
    ]


@pytest.mark.parametrize(
    "aliases",
    [
        {"team": "b", "b": "team"},
        {"team": "b", "b": "c", "c": "b@example.com"},
        {"team": "joe, b", "b": "c", "c": "d", "d": "TEAM"},
        {"team": "n0"} | {f"n{n}": f"n{n + 1}" for n in range(150)},
        {"team": "b, b2", "b": "team, b2", "b2": "team, b"},
    ],
)
def test_circles_are_returned(aliases: dict[str, str]) -> None:
    @asynchronous
    async def run() -> None:
        result = await deliver(make(aliases))
        assert ends(result) == ["bounced"]
        assert " bounced 5.4.6 " in " ".join(told(result))
        assert len(told(result)) < 1000
        assert result.forwards == ()

    run()


@asynchronous
async def test_a_message_that_was_here_before_is_returned() -> None:
    text = b"Delivered-To: TEAM@example.com\r\n\r\nDelivered-To: joe@example.com\r\n"
    people = (recipient("team@example.com"), recipient("joe@example.com"))
    result = await make({"team": "ann"}).deliver(letter(*people, text=text))
    assert told(result) == [
        "team@example.com bounced 5.4.6 mail forwarding loop for team@example.com",
        "joe@example.com sent 2.0.0 delivered to mailbox",
    ]


@asynchronous
async def test_an_owner_sends_and_hears_of_failures() -> None:
    aliases = {
        "list": '"|/bin/no", joe, a@far.example',
        "owner-list": "ann",
        "plain": "list",
    }
    helper = Helper(answers={"/bin/no": Answer(dsn="5.3.0", exit_status=1)})
    result = await deliver(make(aliases, helper), "list@example.com")
    owner = Address("owner-list", "example.com")
    assert forwarded(result) == {owner.internal: ["joe@example.com", "a@far.example"]}
    parts = result.parts[recipient("list@example.com")]
    assert [part.owner for part in parts] == [owner, None]
    assert [item.original for item in result.forwards[0].envelope.recipients] == [
        Address("joe", "example.com"),
        Address("a", "far.example"),
    ]
    [order] = [order for order in helper.orders if isinstance(order, Run)]
    assert "SENDER=owner-list@example.com" in order.variables
    assert not any(item.startswith("ORIGINAL_RECIPIENT=") for item in order.variables)
    assert "X-Original-To" not in order.prefix
    expanded = await deliver(make(aliases, expand_owner_alias=True), "list@example.com")
    assert list(forwarded(expanded)) == ["ann@example.com"]
    aliases["owner-list"] = "ann, joe"  # all of it is one address
    expanded = await deliver(make(aliases, expand_owner_alias=True), "list@example.com")
    assert list(forwarded(expanded)) == ["ann, joe@example.com"]
    ordinary = await deliver(make(aliases, owner_request_special=False), "list@example.com")
    assert forwarded(ordinary) == {SAM: ["a@far.example"]}


@asynchronous
async def test_a_delivery_that_has_to_wait_is_not_told_to_an_owner() -> None:
    aliases = {"list": "|/bin/later", "owner-list": "ann"}
    helper = Helper(answers={"/bin/later": Answer(dsn="4.3.0", exit_status=75)})
    result = await deliver(make(aliases, helper), "list@example.com")
    assert ends(result) == ["deferred"]
    assert result.parts == {}


@pytest.mark.parametrize(
    "notify, expected, news",
    [
        ((), (), 0),
        (("SUCCESS",), ("NEVER",), 1),
        (("SUCCESS", "FAILURE"), ("FAILURE",), 1),
        (("NEVER",), ("NEVER",), 0),
    ],
)
def test_success_is_reported_once(
    notify: tuple[str, ...], expected: tuple[str, ...], news: int
) -> None:
    @asynchronous
    async def run() -> None:
        person = replace(
            recipient("team@example.com"), notify=frozenset(notify), orcpt="rfc822;a@b"
        )
        result = await make({"team": "ann@far.example"}).deliver(letter(person))
        [new] = result.forwards[0].envelope.recipients
        assert (new.notify, new.orcpt) == (frozenset(expected), "rfc822;a@b")
        announced = [part.outcome for part in result.parts.get(person, ()) if part.is_news]
        assert [item.reason for item in announced] == ["alias expanded"] * news
        logged = [part.outcome for part in result.parts.get(person, ()) if not part.is_news]
        assert all("SUCCESS" not in item.recipient.notify for item in logged)

    run()


@asynchronous
async def test_extensions() -> None:
    aliases = {"team": "a@x.example, joe", "team+x": "b@x.example"}
    found = []
    for names in (("canonical",), ("alias",)):
        agent = make(aliases, recipient_delimiter="+-", propagate_unmatched_extensions=names)
        for name in ("team+x", "team-y", "joe+z", "joe+a/b"):
            result = await deliver(agent, f"{name}@example.com")
            found.append((*forwarded(result).get(SAM, []), *(told(result)[0].split()[:1])))
    assert found == [
        ("b@x.example", "team+x@example.com"),
        ("a@x.example", "joe@example.com"),
        ("joe+z@example.com",),
        ("joe+a/b@example.com",),
        ("b@x.example", "team+x@example.com"),
        ("a-y@x.example", "joe-y@example.com"),
        ("joe+z@example.com",),
        ("joe+a/b@example.com",),
    ]


@asynchronous
async def test_a_table_that_cannot_be_asked_means_later() -> None:
    result = await deliver(make(DictMaps(broken=True)), "joe@example.com")
    assert told(result) == ["joe@example.com deferred 4.3.0 alias database unavailable"]


@asynchronous
async def test_a_pattern_table_names_no_commands() -> None:
    aliases = DictMaps({"team": '"|/bin/x team"', "t2": "joe"}, table="regexp:aliases")
    for name, end in (("team", "deferred"), ("t2", "sent")):
        assert ends(await deliver(make(aliases), f"{name}@example.com")) == [end]


@asynchronous
async def test_a_transport_that_is_not_there_means_later() -> None:
    agent = make({}, transports={"joe": "nosuch:", "ann": "a b:c"})
    people = (recipient("joe@example.com"), recipient("ann@example.com"))
    result = await agent.deliver(letter(*people))
    assert ends(result) == ["deferred", "deferred"]


@asynchronous
async def test_without_a_helper_there_are_no_users() -> None:
    agent = LocalAgent(
        LocalSettings(),
        DictMaps({"team": "joe@example.com, x@far.example"}),
        DictMaps({"joe": "virtual:"}),
        is_local=lambda domain: domain == "example.com",
        agent=lambda transport: Mailboxes(),
    )
    result = await deliver(agent)
    assert [line.split()[1] for line in told(result)] == ["sent", "sent"]
    assert forwarded(result) == {SAM: ["x@far.example"]}
    assert told(await deliver(agent, "root@example.com"))[0].split()[1:3] == ["bounced", "5.1.1"]
