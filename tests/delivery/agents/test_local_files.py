"""The local agent and files that users and administrators write: .forward, :include:, rights."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from delivery.agents.users import User
from delivery.courier.wire import Answer, Order, ReadInclude, Run
from delivery.courier.wire import ReadForward as Forward
from delivery.values import Content
from tests.delivery.agents.helper import Accounts, Helper
from tests.delivery.agents.test_local import SAM, deliver, ends, forwarded, make, told
from tests.delivery.spool.messages import asynchronous

JOE = "joe@example.com"
DOT = "/home/joe/.forward"


@asynchronous
async def test_it_works() -> None:
    helper = Helper(files={DOT: "# mine\n\\joe, ann\n\n a@far.example\n"})
    result = await deliver(make({}, helper), JOE)
    assert told(result) == [
        "joe@example.com sent 2.0.0 delivered to mailbox",
        "joe@example.com sent 2.0.0 forwarded",
    ]
    assert forwarded(result) == {SAM: ["ann@example.com", "a@far.example"]}


@pytest.mark.parametrize(
    "text, done",
    [
        ("joe", ["joe: /var/mail/joe"]),
        ("JOE@example.com", ["joe: /var/mail/joe"]),
        ("# nothing\n\n", ["joe: /var/mail/joe"]),
        ("|/bin/a b", ["joe: /bin/a"]),
        ('"|/bin/a b"\n', ["joe: /bin/a b"]),
        ("~/box, ~/dir/\n/abs", ["joe: /home/joe/box", "joe: /home/joe/dir/", "joe: /abs"]),
        ("/dev/null", ["joe: /dev/null"]),
    ],
)
def test_what_a_forward_names_is_done_as_its_user(text: str, done: list[str]) -> None:
    @asynchronous
    async def run() -> None:
        helper = Helper(files={DOT: text})
        await deliver(make({}, helper), JOE)
        assert helper.done == done

    run()


@asynchronous
async def test_the_forward_of_an_extension_comes_first() -> None:
    files = {f"{DOT}+x": "a@far.example", DOT: "b@far.example"}
    found = []
    for name, propagate in (("joe+x", True), ("joe+y", False), ("joe+y", True), ("joe", True)):
        settings = {"propagate_unmatched_extensions": ("forward",)} if propagate else {}
        helper = Helper(files=files)
        agent = make({}, helper, recipient_delimiter="+", **settings)
        result = await deliver(agent, f"{name}@example.com")
        found += forwarded(result)[SAM]
    assert found == ["a@far.example", "b@far.example", "b+y@far.example", "b@far.example"]
    order = helper.orders[0]
    assert isinstance(order, Forward)
    assert order.paths == (DOT,)  # there is no extension to fill in


@asynchronous
async def test_outside_text_in_a_path_is_censored() -> None:
    helper = Helper()
    await deliver(make({}, helper, recipient_delimiter="+"), "joe+a b$(x)é@example.com")
    [order] = [order for order in helper.orders if isinstance(order, Forward)]
    assert order.paths == (f"{DOT}+a_b__x___", DOT)


@asynchronous
async def test_includes() -> None:
    helper = Helper(
        files={"/l": 'joe\n  ann, "q u"@far.example\n:include:/l2\n:include:/l\n', "/l2": "x@y.z"}
    )
    result = await deliver(make({"team": ":include:/l"}, helper))
    assert told(result) == ["team@example.com sent 2.0.0 forwarded"]
    assert forwarded(result) == {
        SAM: ["joe@example.com", "ann@example.com", "q u@far.example", "x@y.z"]
    }
    for value, reason in ((":include:/none", "5.3.5"), (":include:rel", "5.3.5")):
        result = await deliver(make({"team": value}, helper))
        assert told(result) == [
            f"team@example.com bounced {reason} mail system configuration error"
        ]


@asynchronous
async def test_an_include_may_name_commands_only_when_that_is_allowed() -> None:
    helper = Helper(files={"/l": "|/bin/a\n/box\n"}, owners={"/l": "joe"})
    result = await deliver(make({"team": ":include:/l"}, helper))
    assert told(result) == [
        "team@example.com bounced 5.7.1 mail to command is restricted",
        "team@example.com bounced 5.7.1 mail to file is restricted",
    ]
    allowed = ("alias", "include")
    agent = make(
        {"team": ":include:/l"}, helper, allow_mail_to_commands=allowed, allow_mail_to_files=allowed
    )
    assert ends(await deliver(agent)) == ["sent"]
    assert helper.done == ["joe: /bin/a", "joe: /box"]


@asynchronous
async def test_an_include_of_a_user_is_read_as_the_user() -> None:
    helper = Helper(files={DOT: ":include:/home/joe/list", "/home/joe/list": "ann"})
    result = await deliver(make({}, helper), JOE)
    assert forwarded(result) == {SAM: ["ann@example.com"]}
    [order] = [order for order in helper.orders if isinstance(order, ReadInclude)]
    assert (order.user, order.fallback) == ("joe", "nobody")


@asynchronous
async def test_commands_of_root_run_as_nobody() -> None:
    helper = Helper()
    await deliver(make({}, helper, mailbox_command="/bin/a"), "root@example.com")
    assert helper.done == ["nobody: /bin/a"]
    order = helper.orders[-1]
    assert isinstance(order, Run)
    assert {"HOME=/root", "USER=root"} <= set(order.variables)


class Same(Accounts):
    """Everybody has our own number."""

    async def find(self, name: str) -> User | None:
        found = await super().find(name)
        return None if found is None else replace(found, uid=os.geteuid())


@asynchronous
async def test_without_the_right_to_become_users_their_files_name_no_commands() -> None:
    files = {DOT: "|/bin/a\n", "/home/joe/.forward+f": "/box\n"}
    for address in (JOE, "joe+f@example.com"):
        helper = Helper(files=files, switches=False)
        result = await deliver(make({}, helper, recipient_delimiter="+"), address)
        assert ends(result) == ["deferred"]
        assert helper.done == []
    helper = Helper(files={"/l": "|/bin/a"}, owners={"/l": "joe"}, switches=False)
    agent = make({"team": ":include:/l"}, helper, allow_mail_to_commands=("include",))
    assert ends(await deliver(agent)) == ["deferred"]
    helper = Helper(switches=False)  # what the administrator names is done
    assert ends(await deliver(make({"team": "|/bin/a, /box"}, helper))) == ["sent"]
    assert ends(await deliver(make({}, helper, mailbox_command="/bin/b"), JOE)) == ["sent"]
    assert helper.done == ["nobody: /bin/a", "nobody: /box", "joe: /bin/b"]


@asynchronous
async def test_commands_get_facts_that_cannot_be_misread() -> None:
    helper = Helper()
    agent = make({}, helper, mailbox_command="/bin/a $EXTENSION", recipient_delimiter="+")
    await deliver(agent, 'joe+`id`;"x"$HOME@Example.com')
    order = helper.orders[-1]
    assert isinstance(order, Run)
    assert dict(item.split("=", 1) for item in order.variables) == {
        "HOME": "/home/joe",
        "SHELL": "/bin/sh",
        "LOGNAME": "joe",
        "USER": "joe",
        "LOCAL": "joe+_id___x__home",
        "EXTENSION": "_id___x__home",
        "DOMAIN": "example.com",
        "RECIPIENT": "joe+_id___x__HOME@Example.com",
        "ORIGINAL_RECIPIENT": "joe+_id___x__HOME@Example.com",
        "SENDER": "sam@sender.example",
        "CLIENT_ADDRESS": "192.0.2.7",
        "CLIENT_HOSTNAME": "mx.sender.example",
        "CLIENT_HELO": "client",
        "CLIENT_PROTOCOL": "ESMTP",
    }
    assert order.exported == ("TZ", "MAIL_CONFIG", "LANG=C")


@asynchronous
async def test_headers_before_the_message_are_as_the_administrator_wants() -> None:
    for names, expected in ((("file",), False), (("command",), True), ((), False)):
        helper = Helper()
        agent = make({}, helper, mailbox_command="/bin/a", prepend_delivered_header=names)
        await deliver(agent, JOE)
        order = helper.orders[-1]
        assert isinstance(order, Run)
        assert ("Delivered-To: joe@example.com" in order.prefix) == expected
    agent = make({"team": "a@far.example"}, prepend_delivered_header=("file",))
    assert (await deliver(agent)).forwards[0].headers == b""


@asynchronous
async def test_a_list_of_any_length_has_an_end() -> None:
    helper = Helper(files={"/l": ",".join(f"u{n}@far.example" for n in range(50)) + "\nx@y.z\n"})
    result = await deliver(make({"team": ":include:/l"}, helper, destination_limit=31))
    assert len(forwarded(result)[SAM]) == 30  # the file itself is one
    assert told(result) == [
        "team@example.com bounced 5.4.6 more than 31 destinations",
        "team@example.com sent 2.0.0 forwarded",
    ]


class Broken(Helper):
    """A disk that cannot be read."""

    async def carry(self, order: Order, content: Content | None = None) -> Answer:
        raise OSError("the content file has another size")


@asynchronous
async def test_whatever_goes_wrong_with_the_helper_means_later() -> None:
    assert ends(await deliver(make({}, Broken()), JOE)) == ["deferred"]
    assert ends(await deliver(make({"team": "/box"}, Broken()))) == ["deferred"]


@asynchronous
async def test_a_forward_that_names_its_own_user_means_the_mailbox() -> None:
    helper = Helper(files={DOT: "joe, /copy\n"})
    agent = make({}, helper, duplicate_filter_limit=1, frozen_delivered_to=False)
    await deliver(agent, "joe@example.com")
    assert sorted(helper.done) == ["joe: /copy", "joe: /var/mail/joe"]
