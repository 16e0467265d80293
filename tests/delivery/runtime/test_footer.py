"""Reject footers: which refusals have one, where it stands, what it may say."""

from __future__ import annotations

import pytest

from delivery.policy.facts import Facts, Stage
from delivery.runtime.footer import Footer
from delivery.smtp import replies
from delivery.smtp.replies import Reply
from delivery.values import Client
from tables.addresses import NULL
from tables.formats.memory import MemoryMap
from tables.parameters import REGISTRY
from tables.reading.lookup import Maps

FACTS = Facts(
    stage=Stage.RCPT,
    client=Client(address="192.0.2.7", port=4000, name="client.example"),
    helo="he\u00e9lo",
    sender=NULL,
)
UNKNOWN = replies.reply(550, "5.1.1", "<joe@example.com>: User unknown")


def footer(text: str = "", **entries: str) -> Footer:
    keys = {key.replace("_", " "): value for key, value in entries.items()}
    maps = Maps([("memory:test", MemoryMap(keys))] if entries else [])
    return Footer(text, maps, "mx.example.com", REGISTRY["smtpd_expansion_filter"].default)


def test_the_filter_says_which_letters_macros_bring_in() -> None:
    for allowed, expected in (("heo", "he__o"), (r"\150\145", "he___"), ("", "_____")):
        given = Footer("Hello $helo_name", Maps([]), "mx.example.com", allowed)
        assert lines(UNKNOWN, given)[-1] == f"Hello {expected}", allowed
    beyond = Footer("Hello $helo_name", Maps([]), "mx.example.com", "he\u00e9lo\r\n")
    assert lines(UNKNOWN, beyond)[-1] == "Hello he_lo", "a reply is ASCII"


def lines(reply: Reply, given: Footer) -> tuple[str, ...]:
    return given.added(reply, FACTS).lines


def test_refusals_have_it_and_nothing_else() -> None:
    given = footer("Call us")
    assert lines(UNKNOWN, given) == ("<joe@example.com>: User unknown", "Call us")
    assert given.added(UNKNOWN, FACTS).enhanced == "5.1.1"
    for reply in (replies.OK, replies.START_CONTENT, replies.BYE):
        assert given.added(reply, FACTS) is reply
    assert footer().added(UNKNOWN, FACTS) is UNKNOWN


@pytest.mark.parametrize(
    ("text", "added"),
    [
        (r"\c. See example.com\nSecond", ("Unknown. See example.com", "Second")),
        ("$client_address [$client_name]", ("Unknown", "192.0.2.7 [client.example]")),
        ("$server_name <$helo_name>", ("Unknown", "mx.example.com <he_lo>")),
        ("$sender ($recipient)", ("Unknown", "<> ()")),
        ("${recipient?for $recipient}x", ("Unknown", "x")),
        ("$nothing", ("Unknown",)),
        ("${client", ("Unknown",)),
    ],
)
def test_what_it_says(text: str, added: tuple[str, ...]) -> None:
    assert lines(replies.reply(550, "", "Unknown"), footer(text)) == added


def test_a_table_knows_better() -> None:
    given = footer("default", **{"550 5.1.1 no": "Try $client_port"})
    assert lines(replies.reply(550, "5.1.1", "no"), given) == ("no", "Try 4000")
    assert lines(replies.reply(554, "5.7.1", "no"), given) == ("no", "default")


def test_nobody_outside_can_end_a_line() -> None:
    wire = footer("$helo_name").added(UNKNOWN, FACTS).wire
    assert wire.count(b"\r\n") == 2
