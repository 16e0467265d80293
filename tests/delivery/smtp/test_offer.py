"""What a server offers, and what the envelope says for that."""

from __future__ import annotations

from typing import Any

import pytest

from delivery.errors import OurError
from delivery.smtp.exchange import Ready, Transaction
from delivery.smtp.settings import ClientSettings
from tables.addresses import Address
from tests.delivery.smtp.peers import EHLO, SIMPLE, Peer, mail, recipient


def test_options_go_only_where_they_are_offered() -> None:
    sender = Address("a b", "example.net")
    rcpt = recipient(
        "joe@far.example", notify=frozenset({"DELAY", "SUCCESS"}), orcpt="rfc822;x+y@z.example"
    )
    peer = Peer([("EHLO", EHLO)])
    options: dict[str, Any] = {"size": 5, "body": "8BITMIME", "ret": "HDRS", "envid": "a=b"}
    transaction = Transaction(sender=sender, recipients=(rcpt,), **options)
    peer.run(transaction)
    assert peer.commands[1:3] == [
        'MAIL FROM:<"a b"@example.net> SIZE=5 BODY=8BITMIME ENVID=a+3Db RET=HDRS',
        "RCPT TO:<joe@far.example> ORCPT=rfc822;x+2By@z.example NOTIFY=SUCCESS,DELAY",
    ]
    bare = Peer([("EHLO", SIMPLE)])
    bare.run(transaction)
    assert bare.commands[1:3] == ['MAIL FROM:<"a b"@example.net>', "RCPT TO:<joe@far.example>"]


def test_keywords_are_read() -> None:
    lines = "250-mx.far.example hello\r\n250-size 100\r\n250-AUTH=LOGIN PLAIN\r\n250 X"
    peer = Peer([("EHLO", lines)])
    ready = peer.run()[0]
    assert ready == Ready("mx.far.example", {"SIZE": "100", "AUTH": "LOGIN PLAIN", "X": ""})
    discarding = ClientSettings(smtp_discard_ehlo_keywords=("pipelining", "dsn"))
    peer = Peer(settings=discarding)
    peer.run()
    assert set(peer.client.offer.keywords) == {"SIZE", "8BITMIME"}


@pytest.mark.parametrize("address", ["a\r\nRSET@far.example", "a\x00@far.example"])
def test_no_second_command_in_an_address(address: str) -> None:
    with pytest.raises(OurError, match="control character"):
        Peer().run(mail(address))


@pytest.mark.parametrize(
    ("offered", "enabled", "says"),
    [("AUTH PLAIN", True, True), ("AUTH PLAIN", False, False), ("DSN", True, False)],
)
def test_dummy_auth(offered: str, enabled: bool, says: bool) -> None:
    settings = ClientSettings(smtp_sasl_auth_enable=enabled, smtp_send_dummy_mail_auth=True)
    peer = Peer([("EHLO", f"250-far.example\r\n250 {offered}")], settings=settings)
    peer.run(mail("joe@far.example"))
    [line] = [line for line in peer.commands if line.startswith("MAIL")]
    assert line.endswith(" AUTH=<>") is says


@pytest.mark.parametrize(
    ("quotes", "path"), [(True, '<"joe smith"@far.example>'), (False, "<joe smith@far.example>")]
)
def test_addresses_may_go_unquoted(quotes: bool, path: str) -> None:
    peer = Peer(settings=ClientSettings(smtp_quote_rfc821_envelope=quotes))
    peer.run(mail("joe smith@far.example"))
    [line] = [line for line in peer.commands if line.startswith("RCPT")]
    assert line.startswith(f"RCPT TO:{path}")
