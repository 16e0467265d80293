"""XCLIENT and XFORWARD: attributes, their forms, and the words for mistakes."""

from __future__ import annotations

import pytest

from delivery.smtp.proxies import XFORWARD, parse_xclient, parse_xforward, xforward
from delivery.smtp.replies import Mistake
from delivery.values import Client, Envelope, Recipient
from tables.addresses import NULL, Address

BOTH = ("ipv4", "ipv6")


def test_xclient_says_who_the_client_is() -> None:
    text = "NAME=spike.example addr=192.0.2.7 PORT=1234 HELO=a<b PROTO=esmtp LOGIN=j+2Boe"
    assert parse_xclient(text, BOTH) == (
        {
            "NAME": "spike.example",
            "ADDR": "192.0.2.7",
            "PORT": "1234",
            "HELO": "a?b",
            "PROTO": "ESMTP",
            "LOGIN": "j+oe",
        },
        False,
    )


def test_what_a_proxy_does_not_know_is_none() -> None:
    assert parse_xclient("NAME=[UNAVAILABLE] ADDR=[unavailable]", BOTH) == (
        {"NAME": None, "ADDR": None},
        False,
    )
    assert parse_xclient("NAME=[TEMPUNAVAIL]", BOTH) == ({"NAME": None}, True)


def test_an_ipv6_address_has_its_prefix_and_needs_the_family() -> None:
    assert parse_xclient("ADDR=IPV6:2001:db8::7", BOTH)[0] == {"ADDR": "2001:db8::7"}
    with pytest.raises(Mistake, match="Bad ADDR syntax"):
        parse_xclient("ADDR=2001:db8::7", BOTH)
    with pytest.raises(Mistake, match="Bad ADDR syntax"):
        parse_xclient("ADDR=IPV6:2001:db8::7", ("ipv4",))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Syntax: XCLIENT attribute=value..."),
        ("NAME", "attribute=value expected"),
        ("NAME=", "attribute=value expected"),
        ("FOO=bar", "Bad XCLIENT attribute name: FOO"),
        ("NAME=" + "n" * 256, "too long"),
        ("NAME=a+20b", "Bad NAME syntax: a b"),
        ("NAME=bad_name..x", "Bad NAME syntax"),
        ("ADDR=999.1.1.1", "Bad ADDR syntax"),
        ("PORT=abc", "Bad PORT syntax"),
        ("PROTO=FOO", "Bad PROTO syntax"),
        ("NAME=ok.example IDENT=x", "Bad XCLIENT attribute name: IDENT"),
        ("FOO+0Dbar=x", "Bad XCLIENT attribute name"),
    ],
)
def test_mistakes_have_postfix_words(text: str, words: str) -> None:
    with pytest.raises(Mistake) as caught:
        parse_xclient(text, BOTH)
    assert caught.value.reply.code == 501
    assert words in str(caught.value.reply)


def test_xforward_has_attributes_of_its_own() -> None:
    found = parse_xforward("SOURCE=local PROTO=HTTP IDENT=ABC NAME=[UNAVAILABLE]", BOTH)
    assert found == {"SOURCE": "LOCAL", "PROTO": "HTTP", "IDENT": "ABC", "NAME": None}
    for text in ("LOGIN=x", "SOURCE=FOO", "NAME=a+2Fb", "IDENT=" + "x" * 65, ""):
        with pytest.raises(Mistake):
            parse_xforward(text, BOTH)


def test_a_value_cannot_end_a_log_line() -> None:
    assert parse_xclient("LOGIN=a+0Ab+00", BOTH)[0] == {"LOGIN": "a?b?"}


def sent(offered: str, client: Client | None, *, is_local: bool, helo: str = "") -> list[str]:
    joe = Address("joe", "far.example")
    envelope = Envelope(
        sender=NULL,
        recipients=(Recipient(address=joe, original=joe),),
        client=client,
        helo=helo,
        protocol="ESMTPSA" if client else "local",
        is_local=is_local,
    )
    return xforward(envelope, "4c9BsN2rG8z1", offered)


def test_the_next_server_is_told_what_it_can_read() -> None:
    client = Client(address="2001:db8::7", port=99, name="a.far.example")
    lines = sent(
        XFORWARD.removeprefix("XFORWARD "), client, is_local=False, helo="xx" + "a=b+c?" * 50
    )
    assert lines[0] == "XFORWARD NAME=a.far.example ADDR=IPV6:2001:db8::7 PORT=99"
    told = parse_xforward(lines[1].removeprefix("XFORWARD "), BOTH)
    assert told == {
        "PROTO": "ESMTP",
        "HELO": "xx" + "a=b+c?" * 25 + "a",  # 255 octets, as they are coded
        "IDENT": "4c9BsN2rG8z1",
        "SOURCE": "REMOTE",
    }


def test_what_is_not_known_is_said_to_be_unavailable() -> None:
    assert sent("NAME ADDR PORT PROTO HELO SOURCE", None, is_local=True) == [
        "XFORWARD NAME=[UNAVAILABLE] ADDR=[UNAVAILABLE] PORT=[UNAVAILABLE]",
        "XFORWARD HELO=[UNAVAILABLE] SOURCE=LOCAL",
    ]
    unknown = Client(address="192.0.2.7", port=1)
    assert sent("name addr", unknown, is_local=False) == [
        "XFORWARD NAME=[UNAVAILABLE] ADDR=192.0.2.7"
    ]
    assert sent("", unknown, is_local=False) == []
