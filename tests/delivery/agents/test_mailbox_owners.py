"""Mailboxes of hosted domains that belong to others, and mailbox files: the helper writes them."""

from __future__ import annotations

from delivery.agents.mailbox import MailboxAgent, MailboxSettings
from delivery.agents.maildir import MaildirWriter
from delivery.courier.wire import Answer, Append, Store
from tests.delivery.agents.helper import Helper
from tests.delivery.agents.tables import DictMaps
from tests.delivery.agents.test_mailbox import letter
from tests.delivery.spool.messages import asynchronous, recipient


def owned(helper: Helper, **tables: DictMaps) -> MailboxAgent:
    return MailboxAgent(
        MaildirWriter(hostname="here"),
        MailboxSettings(virtual_mailbox_base="/mail"),
        DictMaps({"joe@example.com": "joe/", "ann@example.com": "ann", "@up.example": "../x/"}),
        DictMaps(),
        helper=helper,
        **tables,
    )


@asynchronous
async def test_a_mailbox_belongs_to_whom_the_tables_say() -> None:
    helper = Helper()
    uids, gids = DictMaps({"@example.com": "5000"}), DictMaps({"@example.com": "600"})
    agent = owned(helper, uids=uids, gids=gids)
    people = (recipient("joe@example.com"), recipient("ann@example.com"))
    result = await agent.deliver(letter(*people))
    assert [item.reason for item in result.outcomes] == [
        "delivered to maildir",
        "delivered to mailbox",
    ]
    first, second = helper.orders
    assert isinstance(first, Store)
    assert isinstance(second, Append)
    assert (first.user, first.group, first.path) == ("#5000", "#600", "/mail/joe")
    assert (second.user, second.path, second.is_mailbox) == ("#5000", "/mail/ann", True)
    assert second.prefix.startswith("From ")
    assert not first.prefix.startswith("From ")


@asynchronous
async def test_an_owner_that_cannot_be_keeps_the_mail() -> None:
    good = DictMaps({"@example.com": "5000"})
    for uids, gids in (("99", good), ("x", good), ("", good), ("5000", DictMaps())):
        helper = Helper()
        table = DictMaps({"@example.com": uids} if uids else {})
        result = await owned(helper, uids=table, gids=gids).deliver(
            letter(recipient("joe@example.com"))
        )
        assert [item.dsn for item in result.outcomes] == ["4.3.5"]
        assert helper.orders == []


@asynchronous
async def test_a_helper_that_cannot_write_it_keeps_the_mail() -> None:
    helper = Helper(answers={"/mail/ann": Answer(dsn="5.2.0", reason="no")}, switches=False)
    result = await owned(helper).deliver(letter(recipient("ann@example.com")))
    assert [(item.dsn, item.reason) for item in result.outcomes] == [
        ("4.2.0", "mailbox delivery failed: no")
    ]
    tables = {"uids": DictMaps({"@up.example": "500"}), "gids": DictMaps({"@up.example": "500"})}
    helper = Helper()
    result = await owned(helper, **tables).deliver(letter(recipient("a@up.example")))
    assert [item.dsn for item in result.outcomes] == ["4.3.5"]
    assert helper.orders == []
