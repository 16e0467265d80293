"""The pipe agent: a message for a command of the administrator's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from delivery.agents.base import Delivery
from delivery.agents.pipe import PipeAgent, PipeSettings
from delivery.courier.wire import Answer, Run
from delivery.values import Recipient, Route
from tables.addresses import Address
from tests.delivery.agents.helper import Helper
from tests.delivery.agents.test_local import letter
from tests.delivery.spool.messages import asynchronous, recipient


def make(words: str, helper: Helper | None = None, **settings: object) -> PipeAgent:
    found = PipeSettings(**settings)  # type: ignore[arg-type]
    return PipeAgent(found, words.split(), helper or Helper(), transport="uucp")


def posting(*recipients: Recipient, sender: str = "sam@sender.example") -> Delivery:
    delivery = letter(*recipients or (recipient("Joe+X@Far.example"),))
    local, _, domain = sender.rpartition("@")
    envelope = replace(delivery.envelope, sender=Address(local, domain))
    return replace(delivery, envelope=envelope, route=Route("uucp", "Hop.example"))


async def order(words: str, delivery: Delivery, **settings: object) -> Run:
    helper = Helper()
    result = await make(words, helper, **settings).deliver(delivery)
    assert [outcome.dsn for outcome in result.outcomes] == ["2.0.0"] * len(delivery.recipients)
    [found] = helper.orders
    assert isinstance(found, Run)
    return found


@asynchronous
async def test_it_works() -> None:
    helper = Helper(answers={"uux": Answer(dsn="2.0.0", exit_status=0, output=" queued\n")})
    words = "flags=F user=uucp:mail directory=/d argv=uux -r -n - $nexthop!rmail ($recipient)"
    people = (recipient("a@far.example"), recipient("b@far.example"))
    result = await make(words, helper).deliver(posting(*people))
    assert [(o.status.value, o.dsn, o.reason, o.relay) for o in result.outcomes] == [
        ("sent", "2.0.0", "delivered via uucp service (queued)", "uucp")
    ] * 2
    [found] = helper.orders
    assert isinstance(found, Run)
    assert found.argv == (
        "uux", "-r", "-n", "-", "Hop.example!rmail", "(a@far.example)", "(b@far.example)",
    )  # fmt: skip
    assert (found.user, found.group, found.directory) == ("uucp", "mail", "/d")
    assert found.prefix.startswith("From sam@sender.example  ")
    assert found.prefix.count("\n") == 1


@asynchronous
async def test_macros() -> None:
    words = (
        "user=u argv=x s=${sender} r=${recipient} u=$user e=${extension} m=$mailbox d=$domain"
        " n=$nexthop o=${original_recipient} q=$queue_id c=$client_address h=$client_helo"
        " z=$size i=$sasl_username ${extension?+$extension}"
    )
    found = await order(words, posting(), recipient_delimiter="+")
    assert found.argv == (
        "x", "s=sam@sender.example", "r=Joe+X@Far.example", "u=Joe", "e=X", "m=Joe+X",
        "d=Far.example", "n=Hop.example", "o=Joe+X@Far.example", "q=Q", "c=192.0.2.7",
        "h=client", "z=14", "i=", "+X",
    )  # fmt: skip


@asynchronous
async def test_values_are_arguments_whatever_is_in_them() -> None:
    person = recipient("$sender ;`id`@far.example")
    found = await order("user=u argv=x $recipient $mailbox", posting(person))
    assert found.argv == ("x", "$sender ;`id`@far.example", "$sender ;`id`")
    quoted = await order("flags=q user=u argv=x $recipient $mailbox", posting(person))
    assert quoted.argv == ("x", '"$sender ;`id`"@far.example', "$sender ;`id`")


@pytest.mark.parametrize(
    "flags, expected",
    [
        ("h", "Joe+X@far.example Hop.example"),
        ("u", "joe+x@Far.example Hop.example"),
        ("hu", "joe+x@far.example hop.example"),
    ],
)
def test_folding(flags: str, expected: str) -> None:
    @asynchronous
    async def run() -> None:
        found = await order(f"flags={flags} user=u argv=x $recipient $nexthop", posting())
        assert " ".join(found.argv[1:]).split()[0] == expected.split()[0]
        assert (found.argv[2] == "hop.example") == ("h" in flags)

    run()


@asynchronous
async def test_lines_before_and_marks_inside() -> None:
    found = await order("flags=DROB.>F user=u eol=\\r\\n argv=x", posting())
    lines = found.prefix.split("\r\n")
    assert lines[0].startswith("From sam@sender.example  ")
    assert lines[1:] == [
        "Return-Path: <sam@sender.example>",
        "X-Original-To: Joe+X@Far.example",
        "Delivered-To: Joe+X@Far.example",
        "",
    ]
    assert (found.eol, found.quotes_from, found.stuffs_dots, found.ends_blank) == (
        "\r\n", True, True, True,
    )  # fmt: skip


@asynchronous
async def test_the_null_sender() -> None:
    for words, expected in (
        ("", "MAILER-DAEMON"),
        ("null_sender=<> ", "<>"),
        ("null_sender= ", ""),
    ):
        found = await order(f"{words}user=u argv=x ,$sender,", posting(sender="@"))
        assert found.argv == ("x", f",{expected},")


@asynchronous
async def test_what_the_exit_status_says_holds_for_all() -> None:
    people = (recipient("a@far.example"), recipient("b@far.example"))
    for status, expected in ((75, ("deferred", "4.3.0")), (67, ("bounced", "5.1.1"))):
        helper = Helper(answers={"x": Answer(dsn="5.3.0", exit_status=status)})
        result = await make("user=u argv=x", helper).deliver(posting(*people))
        assert [(o.status.value, o.dsn) for o in result.outcomes] == [expected] * 2


@asynchronous
async def test_a_message_that_is_too_large_is_returned() -> None:
    helper = Helper()
    result = await make("user=u size=10 argv=x", helper).deliver(posting())
    assert [(o.dsn, o.reason) for o in result.outcomes] == [("5.2.3", "message too large")]
    assert helper.orders == []


@asynchronous
async def test_a_message_that_was_here_before_is_returned() -> None:
    delivery = letter(recipient("joe@x.example"), text=b"Delivered-To: Joe@x.example\r\n\r\n")
    for flags, end in (("D", "5.4.6"), ("F", "2.0.0")):
        result = await make(f"flags={flags} user=u argv=x").deliver(delivery)
        assert [o.dsn for o in result.outcomes] == [end]


@pytest.mark.parametrize(
    "words",
    [
        "",
        "user=u",
        "argv=x",
        "user= argv=x",
        "user=u argv=",
        "user=u flags=Z argv=x",
        "user=u what=1 argv=x",
        "user=u size=1k argv=x",
        "user=u argv=x ${nosuch}",
        "user=u argv=x ${recipient",
    ],
)
def test_a_service_that_cannot_work_keeps_the_mail(words: str) -> None:
    @asynchronous
    async def run() -> None:
        helper = Helper()
        result = await make(words, helper).deliver(posting())
        assert [(o.status.value, o.dsn) for o in result.outcomes] == [("deferred", "4.3.5")]
        assert helper.orders == []

    run()


@asynchronous
async def test_headers_of_one_recipient_need_one_recipient() -> None:
    people = (recipient("a@far.example"), recipient("b@far.example"))
    for flags in "DO":
        result = await make(f"flags={flags} user=u argv=x").deliver(posting(*people))
        assert [o.dsn for o in result.outcomes] == ["4.3.5", "4.3.5"]
