"""What happens to a message between the client and the queue, as the queue sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from delivery.spool import Lease
from tests.delivery.runtime.asynchronous import asynchronous
from tests.delivery.runtime.talker import Talker, journal_of, talking
from tests.delivery.spool.messages import NOW, whole
from tests.tables.writing.records import table

LETTER = "From: ann\r\nSubject: x\r\n\r\ny\r\n.\r\n"
LOCAL = {"mynetworks": "192.0.2.0/24", "local_header_rewrite_clients": "permit_mynetworks"}


def checks(action: str, pattern: str = "/^Subject: x/") -> dict[str, Any]:
    """header_checks with one rule."""
    source = table("checks", [(pattern, action)], type="pcre", kind="header_checks")
    return {"tables": [source], "header_checks": "pcre:checks"}


async def send(client: Talker, text: str = LETTER, recipient: str = "joe@example.com") -> str:
    """The reply to a message."""
    lines = ("EHLO x", "MAIL FROM:<a@b.example>", f"RCPT TO:<{recipient}>", "DATA", text)
    return (await client.say(*lines))[-1]


async def text_of(client: Talker, lease: Lease) -> str:
    return (await whole(await client.spool.content(lease))).decode()


def recipients(lease: Lease) -> list[str]:
    return [item.address.text for item in lease.envelope.recipients]


@asynchronous
async def test_what_the_content_is_refused_for_is_the_reply(tmp_path: Path) -> None:
    async with talking(tmp_path, **checks("REJECT 5.7.9 no such mail")) as client:
        assert await send(client) == "550 5.7.9 no such mail"
        assert await client.queued() == []
        assert (await send(client, "Subject: other\r\n\r\n.\r\n")).startswith("250 ")
    refused, _ = journal_of(tmp_path)
    assert refused["event"] == "rejected"
    assert refused["stage"] == "END-OF-MESSAGE"
    assert refused["restriction"] == "header Subject: x"


@asynchronous
async def test_a_message_is_accepted_before_the_queue_delivers_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = [NOW]
    async with talking(tmp_path) as client:
        enter = client.spool.enter_submission

        async def slowly(submission: Any) -> str:
            moments.append(NOW + 5)  # by then another process may have delivered it
            return await enter(submission)

        monkeypatch.setattr(client.dialogue._cleanup, "_clock", lambda: moments[-1])
        monkeypatch.setattr(client.spool, "enter_submission", slowly)
        assert (await send(client)).startswith("250 ")
    [event] = journal_of(tmp_path)
    assert (event["event"], event["time"]) == ("accepted", NOW)


@pytest.mark.parametrize(
    "action, expected",
    [
        ("REDIRECT ann@example.com", ["ann@example.com"]),
        ("BCC ann@example.com", ["joe@example.com", "ann@example.com"]),
        ("REDIRECT ann, kim@example.com", ['"ann, kim"@example.com']),
        ("FILTER smtp:[127.0.0.1]:10025", ["joe@example.com"]),
    ],
)
@asynchronous
async def test_actions_concern_the_whole_message(
    tmp_path: Path, action: str, expected: list[str]
) -> None:
    async with talking(tmp_path, **checks(action)) as client:
        await send(client)
        [lease] = await client.queued()
        assert recipients(lease) == expected
        assert lease.envelope.recipients[0].original.text == "joe@example.com"
        assert lease.envelope.filter == action.removeprefix("FILTER ") * ("FILTER" in action)


@asynchronous
async def test_redirected_mail_stands_for_the_first_recipient_by_domain(tmp_path: Path) -> None:
    rules = checks("REDIRECT ann@example.com") | {"mynetworks": "192.0.2.0/24"}
    copies = {"always_bcc": "z@c.example", "sender_bcc_maps": "static:a@d.example"}
    async with talking(tmp_path, **rules, **copies) as client:
        await send(client, recipient="joe@example.com")
        [lease] = await client.queued()
        assert [item.original.text for item in lease.envelope.recipients] == ["z@c.example"]


@asynchronous
async def test_mail_is_held_or_thrown_away(tmp_path: Path) -> None:
    rules = checks("HOLD", "/^Subject: h/")
    other = table("body", [("/^d/", "DISCARD")], type="pcre", kind="header_checks")
    rules["tables"].append(other)
    async with talking(tmp_path, body_checks="pcre:body", **rules) as client:
        assert (await send(client, "Subject: h\r\n\r\n.\r\n")).startswith("250 ")
        assert (await send(client, "\r\nd\r\n.\r\n")).startswith("250 ")
        assert [item.state.name for item in await client.spool.operator.listing()] == ["HOLD"]


@asynchronous
async def test_checks_see_our_own_lines(tmp_path: Path) -> None:
    rule = "check_sender_access inline:{{b.example = PREPEND X-Seen: yes}}"
    given = checks("REPLACE X-Seen: no", "/^X-Seen/")
    async with talking(tmp_path, smtpd_sender_restrictions=rule, **given) as client:
        await send(client)
        [lease] = await client.queued()
        assert (await text_of(client, lease)).startswith("X-Seen: no\r\nReceived: ")


@asynchronous
async def test_headers_of_local_clients_are_completed(tmp_path: Path) -> None:
    async with talking(tmp_path, **LOCAL) as client:
        await send(client)
        [lease] = await client.queued()
        text = await text_of(client, lease)
        assert "\r\nFrom: ann@mx.test.example\r\n" in text
        assert "\r\nMessage-Id: <" in text
        assert lease.envelope.is_local


@asynchronous
async def test_headers_of_others_stay(tmp_path: Path) -> None:
    async with talking(tmp_path, mynetworks="127.0.0.0/8") as client:
        await send(client)
        [lease] = await client.queued()
        assert (await text_of(client, lease)).endswith(LETTER.removesuffix(".\r\n"))
        assert not lease.envelope.is_local


@asynchronous
async def test_a_filter_may_leave_steps_out(tmp_path: Path) -> None:
    options = "no_header_body_checks, no_address_mappings, no_unknown_recipient_checks"
    async with talking(
        tmp_path,
        receive_override_options=options,
        content_filter="scan:",
        always_bcc="ann@example.com",
        **checks("REJECT"),
    ) as client:
        assert (await send(client, recipient="nosuch@example.com")).startswith("250 ")
        [lease] = await client.queued()
        assert recipients(lease) == ["nosuch@example.com"]
        assert lease.envelope.filter == "scan:"
        [recipient] = lease.envelope.recipients
        rules = client.rules
        assert rules.route(lease.envelope, recipient)[0].nexthop == "example.com"


@asynchronous
async def test_a_message_in_a_loop_is_refused(tmp_path: Path) -> None:
    async with talking(tmp_path, hopcount_limit="3") as client:
        assert (await send(client, "Received: a\r\n" + LETTER)).startswith("250 ")
        reply = await send(client, "Received: a\r\nReceived: b\r\n" + LETTER)
        assert reply == "554 5.4.0 Error: too many hops"


@asynchronous
async def test_a_declared_encoding_is_known_to_the_queue(tmp_path: Path) -> None:
    async with talking(tmp_path) as client:
        await send(client, "Content-Transfer-Encoding: 8bit\r\nX: ü\r\n\r\n.\r\n")
        await send(client, "Subject: x\r\n\r\nü\r\n.\r\n")
        first, second = [lease.envelope for lease in await client.queued()]
        assert (first.eightbit, first.utf8_headers) == (True, True)
        assert (second.eightbit, second.utf8_headers) == (False, False)


@asynchronous
async def test_a_table_that_is_away_is_for_later(tmp_path: Path) -> None:
    async with talking(tmp_path, header_checks="fail:away") as client:
        assert (await send(client)).startswith("451 4.3.0 ")
        assert await client.queued() == []


@pytest.mark.parametrize("said, expected", [(" SMTPUTF8", True), ("", False)])
@asynchronous
async def test_a_header_of_a_part_needs_smtputf8_too(
    tmp_path: Path, said: str, expected: bool
) -> None:
    part = "--b\r\nContent-Type: message/global\r\n\r\nSubject: ü\r\n\r\n--b--\r\n.\r\n"
    text = f"Content-Type: multipart/mixed; boundary=b\r\n\r\n{part}"
    async with talking(tmp_path) as client:
        mail = f"MAIL FROM:<a@b.example>{said}"
        await client.say("EHLO x", mail, "RCPT TO:<joe@example.com>", "DATA", text)
        [lease] = await client.queued()
        assert lease.envelope.utf8_headers is expected


@pytest.mark.parametrize("classes, expected", [("smtpd", True), ("all", True), ("sendmail", False)])
@asynchronous
async def test_the_need_for_smtputf8_may_be_found(
    tmp_path: Path, classes: str, expected: bool
) -> None:
    async with talking(tmp_path, smtputf8_autodetect_classes=classes) as client:
        await send(client, "Subject: ü\r\n\r\n.\r\n")
        await send(client, "Subject: u\r\n\r\nü\r\n.\r\n")
        await send(client, "Subject: \udcfc\r\n\r\n.\r\n")
        found = [lease.envelope.smtputf8 for lease in await client.queued()]
        assert found == [expected, False, False]


@asynchronous
async def test_that_an_alias_was_expanded_is_told_on_request(tmp_path: Path) -> None:
    virtual = "inline:{{list@example.com = joe@example.com, ann@example.com}}"
    async with talking(tmp_path, virtual_alias_maps=virtual) as client:
        recipient = "RCPT TO:<list@example.com> NOTIFY=SUCCESS,FAILURE"
        await client.say("EHLO x", "MAIL FROM:<a@b.example>", recipient, "DATA", LETTER)
        [lease] = await client.queued()
        assert recipients(lease) == ["joe@example.com", "ann@example.com"]
        assert {item.notify for item in lease.envelope.recipients} == {frozenset({"FAILURE"})}
        [told] = lease.settled
        assert (told.recipient.address.text, told.is_expanded) == ("list@example.com", True)


@asynchronous
async def test_a_site_is_not_flushed_again_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sites: list[str] = []

    async def flush(now: float, *, site: str) -> int:
        sites.append(site)
        return 3

    async with talking(tmp_path) as client:
        cleanup = client.dialogue._cleanup
        monkeypatch.setattr(client.spool, "flush", flush)
        asked = ("far.example", "FAR.example", "b.example", "far.example")
        assert [await cleanup.flush_site(site) for site in asked] == [3, 3, 3, 3]
    assert sites == ["far.example", "b.example"]
