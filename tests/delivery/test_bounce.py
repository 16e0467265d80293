"""Delivery reports; RFC 3464, 6522, 3461."""

from __future__ import annotations

import asyncio
import email
import email.policy
from dataclasses import replace
from email.message import Message

import pytest

from delivery.addressees import Addressee, BounceSettings, ReportKind
from delivery.bounce import Report, write_report
from delivery.templates import Template, built_in
from delivery.values import Envelope, Outcome, Recipient, Status
from tables.addresses import Address
from tables.parameters import Parameters

SETTINGS = BounceSettings(
    myhostname="mx.example.net",
    mail_name="Postfix",
)
TEMPLATES = built_in(Parameters({"myhostname": "mx.example.net", "delay_warning_time": "4h"}))
NOW = 1_795_353_714.0
ORIGINAL = b"Subject: test\r\nTo: x\r\n\r\nHello.\r\n.\r\n\r\nSubject: body\r\n"


def person(text: str, *notify: str, orcpt: str = "") -> Recipient:
    local, _, domain = text.rpartition("@")
    address = Address(local, domain)
    return Recipient(address=address, original=address, notify=frozenset(notify), orcpt=orcpt)


ENVELOPE = Envelope(
    sender=Address("alice", "outside.example"), recipients=(person("joe@far.example"),)
)
FAILED = Outcome(
    recipient=person("joe@far.example", orcpt="rfc822;joe@far.example"),
    status=Status.BOUNCED,
    dsn="5.1.1",
    reason="host mx.far.example[203.0.113.9] said: 550 5.1.1 no (in reply to RCPT TO command)",
    relay="mx.far.example[203.0.113.9]:25",
    reply="550 5.1.1 no",
)


def write(
    *outcomes: Outcome,
    kind: ReportKind = ReportKind.FAILURE,
    original: bytes = ORIGINAL,
    envelope: Envelope = ENVELOPE,
    settings: BounceSettings = SETTINGS,
    addressee: Addressee | None = None,
    template: Template | None = None,
) -> bytes:
    written: list[bytes] = []

    pieces = iter([original[start : start + 7] for start in range(0, len(original), 7)])

    async def read() -> bytes:
        return next(pieces, b"")

    report = Report(
        kind=kind,
        template=template or TEMPLATES[kind],
        queue_id="NEWID",
        original_id="OLDID",
        envelope=envelope,
        addressee=addressee
        or Addressee(address=envelope.sender, gets_message=kind is ReportKind.FAILURE),
        outcomes=outcomes,
        size=len(original),
        arrived=NOW - 3600,
        now=NOW,
    )
    asyncio.run(write_report(report, settings, read, written.append))
    return b"".join(written)


def parts(data: bytes) -> tuple[Message, list[Message]]:
    message = email.message_from_bytes(data, policy=email.policy.compat32)
    assert message.defects == []
    content = message.get_payload()
    assert isinstance(content, list)
    return message, content


def status_blocks(part: Message) -> list[dict[str, str]]:
    blocks = part.get_payload()
    assert isinstance(blocks, list)
    return [{key: " ".join(value.split()) for key, value in block.items()} for block in blocks]


def test_it_works() -> None:
    data = write(FAILED)
    assert b"\n" not in data.replace(b"\r\n", b"")
    message, [text, status, returned] = parts(data)
    assert message["Subject"] == "Undelivered Mail Returned to Sender"
    assert message["From"] == "Mail Delivery System <MAILER-DAEMON>", "cleanup adds $myorigin"
    assert message["To"] == "alice@outside.example"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    assert "<joe@far.example>: host mx.far.example[203.0.113.9] said: 550" in text.get_payload()
    per_message, per_recipient = status_blocks(status)
    assert per_message == {
        "Reporting-MTA": "dns; mx.example.net",
        "X-Postfix-Queue-ID": "OLDID",
        "X-Postfix-Sender": "rfc822; alice@outside.example",
        "Arrival-Date": "Sun, 22 Nov 2026 12:21:54 +0000 (UTC)",
    }
    assert per_recipient == {
        "Final-Recipient": "rfc822; joe@far.example",
        "Original-Recipient": "rfc822;joe@far.example",
        "Action": "failed",
        "Status": "5.1.1",
        "Remote-MTA": "dns; mx.far.example",
        "Diagnostic-Code": "smtp; 550 5.1.1 no",
    }
    assert returned.get_content_type() == "message/rfc822"
    assert b"Return-Path: <alice@outside.example>\r\n" + ORIGINAL in data


def test_our_own_decision_has_no_remote_server() -> None:
    reason = "Domain x does not accept mail (nullMX)"
    _, [_, status, _] = parts(write(replace(FAILED, reply="", relay="none", reason=reason)))
    fields = status_blocks(status)[1]
    assert fields["Diagnostic-Code"] == "X-Postfix; Domain x does not accept mail (nullMX)"
    assert "Remote-MTA" not in fields


def test_every_recipient_has_a_block() -> None:
    other = replace(FAILED, recipient=person("ann@far.example"), dsn="5.2.2")
    _, [_, status, _] = parts(write(FAILED, other))
    assert [block.get("Status") for block in status_blocks(status)] == [None, "5.1.1", "5.2.2"]


def test_nobody_wrote_the_members_of_a_list() -> None:
    """Below an alias with an owner there is no original recipient."""
    _, [_, status, _] = parts(write(replace(FAILED, recipient=person("joe@far.example"))))
    assert "Original-Recipient" not in status_blocks(status)[1]


def test_an_expanded_recipient_names_what_the_sender_wrote() -> None:
    recipient = replace(person("joe@far.example"), original=Address("team", "example.net"))
    _, [text, status, _] = parts(write(replace(FAILED, recipient=recipient)))
    shown = " ".join(text.get_payload().split())
    assert "<joe@far.example> (expanded from <team@example.net>): host" in shown
    assert status_blocks(status)[1]["Original-Recipient"] == "rfc822;team@example.net"


@pytest.mark.parametrize(
    "envelope, size, expected",
    [
        (ENVELOPE, 50_000, "message/rfc822"),
        (replace(ENVELOPE, ret="FULL"), 40, "message/rfc822"),
        (replace(ENVELOPE, ret="HDRS"), 40, "text/rfc822-headers"),
        (ENVELOPE, 50_001, "text/rfc822-headers"),
    ],
)
def test_how_much_is_returned(envelope: Envelope, size: int, expected: str) -> None:
    head = b"Subject: test\r\nX-Last: yes\r\n"
    original = head + b"\r\n" + b"x" * (size - len(head) - 2)
    data = write(FAILED, original=original, envelope=envelope)
    _, [_, _, returned] = parts(data)
    assert returned.get_content_type() == expected
    assert (original in data) is (expected == "message/rfc822")
    assert b"Return-Path: <alice@outside.example>\r\n" + head in data
    assert len(data) < size + 5000


def test_headers_without_end_are_bounded() -> None:
    data = write(FAILED, original=b"X-Header: value\r\n" * 100_000)
    assert len(data) < 55_000
    assert b"value\r\n\r\n--NEWID." in data


def test_a_message_without_headers_returns_none() -> None:
    data = write(FAILED, original=b"\r\n" + b"x" * 60_000)
    assert b"Return-Path: <alice@outside.example>\r\n\r\n--NEWID." in data


def test_a_warning_says_how_long_it_will_be_tried() -> None:
    late = replace(FAILED, status=Status.DEFERRED, dsn="4.2.0", reply="450 4.2.0 try later")
    message, [text, status, returned] = parts(write(late, kind=ReportKind.DELAY))
    assert message["Subject"] == "Delayed Mail (still being retried)"
    assert "more than 4 hour(s)" in text.get_payload()
    assert "5 day(s) old" in text.get_payload()
    fields = status_blocks(status)[1]
    assert fields["Action"] == "delayed"
    assert fields["Will-Retry-Until"] == "Fri, 27 Nov 2026 12:21:54 +0000 (UTC)"
    assert returned.get_content_type() == "text/rfc822-headers"


@pytest.mark.parametrize(
    "outcome, action, code",
    [
        (
            {"relay": "virtual", "reply": "", "delivered_to": "example.com/joe/Maildir/"},
            "delivered",
            "X-Postfix; delivery via virtual: delivered to maildir",
        ),
        ({"reply": "250 2.0.0 Ok"}, "relayed", "smtp; 250 2.0.0 Ok"),
        (
            {"relay": "local", "reply": "", "reason": "alias expanded", "is_expanded": True},
            "expanded",
            "X-Postfix; delivery via local: alias expanded",
        ),
    ],
)
def test_success_is_reported_as_what_it_was(
    outcome: dict[str, str], action: str, code: str
) -> None:
    values = {"reason": "delivered to maildir", "dsn": "2.0.0", "status": Status.SENT, **outcome}
    done = replace(FAILED, **values)  # type: ignore[arg-type]
    envelope = replace(ENVELOPE, envid="abc=d")
    message, [_, status, returned] = parts(write(done, kind=ReportKind.SUCCESS, envelope=envelope))
    assert message["Subject"] == "Successful Mail Delivery Report"
    per_message, fields = status_blocks(status)
    assert per_message["Original-Envelope-Id"] == "abc=d"
    assert (fields["Action"], fields["Diagnostic-Code"]) == (action, code)
    assert returned.get_content_type() == "text/rfc822-headers"


def test_smtputf8_mail_gets_an_international_report() -> None:
    recipient = person("jörg@far.example")
    envelope = replace(ENVELOPE, smtputf8=True, sender=Address("ülrich", "outside.example"))
    data = write(replace(FAILED, recipient=recipient), envelope=envelope)
    text = data.decode("utf-8")
    assert "Content-Type: message/global-delivery-status" in text
    assert "Content-Type: message/global\r\n" in text
    assert "Final-Recipient: utf-8; jörg@far.example" in text


def test_an_address_says_itself_whether_it_is_international() -> None:
    outcome = replace(FAILED, recipient=person("jörg@far.example"))
    text = write(outcome).decode("utf-8")
    assert "Content-Type: message/delivery-status" in text
    assert "Final-Recipient: utf-8; jörg@far.example" in text
    without = write(outcome, settings=replace(SETTINGS, smtputf8_enable=False))
    assert b"Final-Recipient: rfc822; j??rg@far.example" in without  # an octet each


def test_the_postmaster_gets_a_copy() -> None:
    postmaster = Address("postmaster")
    headers_only = Addressee(address=postmaster, is_postmaster=True, gets_message=False)
    message, [text, _, returned] = parts(write(FAILED, addressee=headers_only))
    assert message["Subject"] == "Postmaster Copy: Undelivered Mail"
    assert message["To"] == "postmaster"
    assert message["Auto-Submitted"] == "auto-generated"
    assert returned.get_content_type() == "text/rfc822-headers"
    assert text.get_payload().startswith("\r\n<joe@far.example>:")


def test_mail_of_nobody_is_shown_as_ours() -> None:
    lost = replace(ENVELOPE, sender=Address("", ""))
    postmaster = Addressee(address=Address("postmaster"), is_postmaster=True)
    _, [_, status, returned] = parts(write(FAILED, envelope=lost, addressee=postmaster))
    assert status_blocks(status)[0]["X-Postfix-Sender"] == "rfc822; MAILER-DAEMON@mx.example.net"
    assert returned.get_content_type() == "message/rfc822"


@pytest.mark.parametrize(
    ("of_message", "utf8_is_on", "expected"),
    [(False, True, True), (False, False, False), (True, False, True)],
)
def test_a_report_declares_its_encoding(of_message: bool, utf8_is_on: bool, expected: bool) -> None:
    envelope = replace(ENVELOPE, eightbit=of_message)
    settings = replace(SETTINGS, smtputf8_enable=utf8_is_on)
    data = write(FAILED, envelope=envelope, settings=settings)
    assert (b"Content-Transfer-Encoding: 8bit\r\n" in data) is expected


LATIN = replace(
    TEMPLATES[ReportKind.FAILURE],
    charset="iso-8859-1",
    sender="Our Post <MAILER-DAEMON>",
    subject="Returned",
    copy_subject="Seen",
    text=("Gr\udcfc\udcdfe", "  aus M\udcfcnchen"),
)


@pytest.mark.parametrize("utf8_is_on", [True, False])
def test_a_site_has_words_of_its_own(utf8_is_on: bool) -> None:
    """The charset is the template's whatever others say, and what they say is ASCII then."""
    settings = replace(SETTINGS, smtputf8_enable=utf8_is_on)
    outcome = replace(FAILED, reason="non, c'est fermé", reply="")
    data = write(outcome, template=LATIN, settings=settings)
    message, [text, *_] = parts(data)
    assert (message["From"], message["Subject"]) == ("Our Post <MAILER-DAEMON>", "Returned")
    assert message["Content-Transfer-Encoding"] == "8bit"
    assert text["Content-Type"] == "text/plain; charset=iso-8859-1"
    assert text["Content-Transfer-Encoding"] == "8bit"
    assert b"\r\n\r\nGr\xfc\xdfe\r\n  aus M\xfcnchen\r\n\r\n<joe@far.example>: non, " in data
    assert b": non, c'est ferm??\r\n" in data
    said = "fermé" if utf8_is_on else "ferm??"
    assert f"Diagnostic-Code: X-Postfix; non, c'est {said}\r\n".encode() in data


def test_a_postmaster_does_without_the_words() -> None:
    copied = Addressee(address=Address("postmaster"), is_postmaster=True)
    message, [text, _, _] = parts(write(FAILED, template=LATIN, addressee=copied))
    assert message["Subject"] == "Seen"
    assert text["Content-Type"] == "text/plain; charset=iso-8859-1"
    assert text.get_payload().startswith("\r\n<joe@far.example>:")


def test_plain_words_are_utf8_where_the_rest_may_be() -> None:
    given = replace(LATIN, charset="US-ASCII", text=("Sorry.",))
    charsets = []
    for utf8_is_on in (True, False):
        settings = replace(SETTINGS, smtputf8_enable=utf8_is_on)
        _, [text, *_] = parts(write(FAILED, template=given, settings=settings))
        charsets.append((text["Content-Type"], text["Content-Transfer-Encoding"]))
    assert charsets == [
        ("text/plain; charset=utf-8", "8bit"),
        ("text/plain; charset=US-ASCII", None),
    ]


BOUNDARY = "--NEWID.1795353714/mx.example.net"
EVIL = f"no\r\nFinal-Recipient: rfc822; forged@x\r\n\r\n{BOUNDARY}\r\n\x00é\udce4"


def test_what_others_say_forges_nothing() -> None:
    outcome = replace(
        FAILED,
        recipient=replace(
            person("joe@far.example"),
            address=Address('a\r\nAction: delivered\r\n"', "far.example"),
            orcpt=f"rfc822;{EVIL}",
        ),
        reason=EVIL,
        reply=EVIL,
        relay=f"{EVIL}[203.0.113.9]:25",
    )
    envelope = replace(ENVELOPE, envid=EVIL, sender=Address(EVIL, "outside.example"))
    data = write(outcome, envelope=envelope, settings=replace(SETTINGS, smtputf8_enable=False))
    _, found = parts(data)
    assert len(found) == 3
    blocks = status_blocks(found[1])
    assert len(blocks) == 2
    assert list(blocks[1]) == [
        "Final-Recipient",
        "Original-Recipient",
        "Action",
        "Status",
        "Remote-MTA",
        "Diagnostic-Code",
    ]
    assert blocks[1]["Action"] == "failed"
    assert data[: data.index(b"Content-Type: message/rfc822")].isascii()


def test_long_replies_are_wrapped_and_bounded() -> None:
    data = write(replace(FAILED, reply="550 " + "x" * 100_000, reason="y " * 50_000))
    assert max(len(line) for line in data.split(b"\r\n")) <= 200
    assert len(data) < 20_000


@pytest.mark.parametrize(
    "original",
    [
        b"Message-ID: <one@x.example>\r\n" + ORIGINAL,
        b"Received: here\r\nmessage-id: \r\n\t<one@x.example> (comment)\r\n" + ORIGINAL,
    ],
)
@pytest.mark.parametrize("kind", list(ReportKind))
def test_a_report_may_refer_to_the_message(kind: ReportKind, original: bytes) -> None:
    settings = replace(SETTINGS, enable_threaded_bounces=True)
    message, [*_, returned] = parts(write(FAILED, kind=kind, original=original, settings=settings))
    assert message["References"] == message["In-Reply-To"] == "<one@x.example>"
    whole = original if kind is ReportKind.FAILURE else original.partition(b"\r\n\r\n")[0]
    assert whole.decode().rstrip() in str(returned).replace("\n", "\r\n")
    plain, _ = parts(write(FAILED, kind=kind, original=original))
    assert plain["References"] is None


@pytest.mark.parametrize(
    "original",
    [
        ORIGINAL,
        b"\r\nMessage-Id: <body@x.example>\r\n",
        ORIGINAL + b"Message-Id: <body@x.example>\r\n",
        b"Message-Id: no id\r\n" + ORIGINAL,
        b"Message-Id: <a\r\nBcc: everybody>\r\n" + ORIGINAL,
        b"Message-Id: <" + b"x" * 300 + b">\r\n" + ORIGINAL,
        b"",
    ],
)
def test_a_message_without_a_usable_id_is_not_referred_to(original: bytes) -> None:
    settings = replace(SETTINGS, enable_threaded_bounces=True)
    message, _ = parts(write(FAILED, original=original, settings=settings))
    assert message["References"] is None
    assert message["Bcc"] is None
