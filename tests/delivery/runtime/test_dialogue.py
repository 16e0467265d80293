"""What the server answers, command by command; the wire tests say the same over sockets."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from delivery.policy.facts import Stage
from delivery.runtime import dialogue
from tests.delivery.runtime.asynchronous import asynchronous
from tests.delivery.runtime.talker import LETTER, journal_of, talking
from tests.delivery.spool.messages import whole


@asynchronous
async def test_it_works(tmp_path: Path) -> None:
    async with talking(tmp_path) as client:
        replies = await client.say(
            "EHLO client.example", "MAIL FROM:<a@b.example>", "RCPT TO:<joe@example.com>", "DATA"
        )
        assert [reply[:3] for reply in replies] == ["250", "250", "250", "354"]
        [reply] = await client.say(LETTER)
        [lease] = await client.queued()
        assert reply == f"250 2.0.0 Ok: queued as {lease.queue_id}"
        assert lease.envelope.sender.text == "a@b.example"
        assert lease.envelope.helo == "client.example"
        content = await client.spool.content(lease)
        assert (await whole(content)).endswith(b"Subject: x\r\n\r\ny\r\n")
    [event] = journal_of(tmp_path)
    assert event["event"] == "accepted"
    assert event["original_recipients"] == ["joe@example.com"]


@asynchronous
async def test_a_refusal_names_the_rule_and_the_entry(tmp_path: Path) -> None:
    table = "inline:{b.example=REJECT}"
    async with talking(
        tmp_path, smtpd_recipient_restrictions=f"check_sender_access {table}"
    ) as client:
        replies = await client.say("EHLO x", "MAIL FROM:<a@b.example>", "RCPT TO:<joe@example.com>")
        assert replies[-1].startswith("554 5.7.1 <a@b.example>: Sender address rejected")
    [event] = journal_of(tmp_path)
    assert event["event"] == "rejected"
    assert (event["stage"], event["recipient"]) == ("RCPT", "joe@example.com")
    assert event["sender"] == "a@b.example"
    assert event["list"] == "smtpd_recipient_restrictions"
    assert event["restriction"] == "check_sender_access"
    assert (event["table"], event["key"]) == (table, "b.example")


@pytest.mark.parametrize("command", ["RSET", "EHLO again.example", "HELO again.example"])
@asynchronous
async def test_a_transaction_is_forgotten(tmp_path: Path, command: str) -> None:
    async with talking(tmp_path) as client:
        await client.say("EHLO x", "MAIL FROM:<a@b.example>", "RCPT TO:<joe@example.com>")
        replies = await client.say(command, "DATA")
        assert [reply[:3] for reply in replies] == ["250", "503"]
        assert client.dialogue._facts(Stage.HELO).sender is None


@pytest.mark.parametrize(
    "action, sender, expected",
    [
        ("HOLD", "a@b.example", "hold"),
        ("DISCARD", "a@b.example", "nothing"),
        ("REDIRECT ann@example.com", "a@b.example", "ann@example.com"),
        ("BCC ann@example.com", "a@b.example", "joe@example.com ann@example.com"),
    ],
)
@asynchronous
async def test_access_actions_concern_the_whole_message(
    tmp_path: Path, action: str, sender: str, expected: str
) -> None:
    rule = f"check_sender_access inline:{{{{b.example = {action}}}}}"
    async with talking(tmp_path, smtpd_sender_restrictions=rule) as client:
        mail = ("MAIL FROM:<a@b.example>", "RCPT TO:<joe@example.com>", "DATA", LETTER)
        replies = await client.say("EHLO x", *mail)
        assert replies[-1].startswith("250 2.0.0 Ok: queued as ")
        found = await client.queued()
        listing = await client.spool.operator.listing()
        match expected:
            case "hold":
                assert [item.state.name for item in listing] == ["HOLD"]
            case "nothing":
                assert listing == []
            case _:
                [lease] = found
                addresses = [item.address.text for item in lease.envelope.recipients]
                assert addresses == expected.split()
        # the next message is another one
        await client.say("MAIL FROM:<c@d.example>", "RCPT TO:<joe@example.com>", "DATA", LETTER)
        [lease] = await client.queued()
        assert [item.address.text for item in lease.envelope.recipients] == ["joe@example.com"]


@asynchronous
async def test_a_question_asks_for_nothing_to_be_done(tmp_path: Path) -> None:
    rule = "check_recipient_access inline:{{ann@example.com = HOLD}}"
    async with talking(tmp_path, smtpd_recipient_restrictions=rule) as client:
        await client.say("EHLO x", "MAIL FROM:<a@b.example>", "RCPT TO:<joe@example.com>")
        [reply] = await client.say("VRFY ann@example.com")
        assert reply.startswith("252 ")
        await client.say("DATA", LETTER)
        assert len(await client.queued()) == 1  # not held


@asynchronous
async def test_lines_that_access_tables_add_stand_before_all_headers(tmp_path: Path) -> None:
    rule = "check_sender_access inline:{{b.example = PREPEND X-Seen: yes}}"
    async with talking(tmp_path, smtpd_sender_restrictions=rule) as client:
        mail = ("MAIL FROM:<a@b.example>", "RCPT TO:<joe@example.com>", "DATA", LETTER)
        await client.say("EHLO x", *mail)
        [lease] = await client.queued()
        text = await whole(await client.spool.content(lease))
        assert text.startswith(b"X-Seen: yes\r\nReceived: from x ")


@asynchronous
async def test_a_table_that_is_away_is_for_later(tmp_path: Path) -> None:
    async with talking(tmp_path, canonical_maps="fail:away") as client:
        replies = await client.say("EHLO x", "MAIL FROM:<a@b.example>", "RCPT TO:<joe@example.com>")
        assert replies[-1].startswith("45")
        assert (await client.say("NOOP"))[0].startswith("250")


@asynchronous
async def test_without_room_nothing_is_begun(tmp_path: Path) -> None:
    async with talking(tmp_path) as client:
        client.spool.limits = replace(client.spool.limits, free_bytes=1 << 62)
        replies = await client.say("EHLO x", "MAIL FROM:<a@b.example>")
        assert replies[-1] == "452 4.3.1 Insufficient system storage"
        client.spool.limits = replace(client.spool.limits, free_bytes=0)
        assert (await client.say("MAIL FROM:<a@b.example>"))[0].startswith("250")


@asynchronous
async def test_mail_may_be_asked_for_by_those_who_may(tmp_path: Path) -> None:
    async with talking(tmp_path, fast_flush_domains="relay.example") as client:
        replies = await client.say(
            "EHLO x", "ETRN relay.example", "ETRN sub.relay.example", "ETRN other.example"
        )
        assert replies[1:] == [
            "250 Queuing started",
            "250 Queuing started",  # parent_domain_matches_subdomains
            "459 <other.example>: service unavailable",
        ]


@asynchronous
async def test_clients_are_refused_at_once_without_delay(tmp_path: Path) -> None:
    async with talking(
        tmp_path,
        smtpd_delay_reject="no",
        smtpd_client_restrictions="check_client_access inline:{{192.0.2.7 = REJECT}}",
    ) as client:
        assert (await client.dialogue.greet()).code == 554


@asynchronous
async def test_soft_bounce_leaves_no_refusal_for_good(tmp_path: Path) -> None:
    """postconf(5) soft_bounce: not even for mistakes in the commands."""
    rule = "check_client_access static:{554 5.7.1 go away}"
    async with talking(tmp_path, soft_bounce="yes", smtpd_client_restrictions=rule) as talker:
        said = await talker.say("FOO", "EHLO c", "DATA", "MAIL FROM:<>", "RCPT TO:<a@b>", "DATA")
    assert [reply[:9] for reply in said] == [
        "400 4.5.2",
        "250-mx.te",
        "403 4.5.1",
        "250 2.1.0",
        "454 4.7.1",
        "454 4.5.1",
    ]


@asynchronous
async def test_an_address_to_which_no_mail_can_go_is_bad_syntax(tmp_path: Path) -> None:
    """Whatever lists permit; settings that complete or allow such addresses decide."""
    async with talking(tmp_path, mynetworks="192.0.2.7") as talker:
        await talker.say("EHLO c")
        for path in ("joe@", "joe@-a.example", "joe@192.0.2.1", "joe@[x]", "-joe@far.example"):
            [reply] = await talker.say(f"MAIL FROM:<{path}>")
            assert reply == "501 5.1.7 Bad sender address syntax", path
        await talker.say("MAIL FROM:<ann@far.example>")
        for path in ("joe@", "joe@-a.example", "joe@192.0.2.1", "joe@[x]", "-joe@far.example"):
            [reply] = await talker.say(f"RCPT TO:<{path}>")
            assert reply == "501 5.1.3 Bad recipient address syntax", path
        assert await talker.say("RCPT TO:<joe@far.example.>") == ["250 2.1.5 Ok"]


@asynchronous
async def test_a_recipient_is_reported_on_as_it_was_given(tmp_path: Path) -> None:
    """RFC 3461 5.2.1: without ORCPT the address as typed is the original recipient."""
    async with talking(tmp_path, mynetworks="192.0.2.7") as talker:
        await talker.say(
            "EHLO c",
            "MAIL FROM:<>",
            "RCPT TO:<Joe>",
            'RCPT TO:<"ann"@far.example.>',
            "RCPT TO:<x@far.example> ORCPT=rfc822;y@far.example",
            "DATA",
            LETTER,
        )
        [lease] = await talker.queued()
        assert [each.orcpt for each in lease.envelope.recipients] == [
            "rfc822;Joe",
            'rfc822;"ann"@far.example.',
            "rfc822;y@far.example",
        ]


@asynchronous
async def test_a_message_has_its_name_from_the_first_recipient_on(tmp_path: Path) -> None:
    async with talking(
        tmp_path, smtpd_recipient_restrictions="check_policy_service inet:127.0.0.1:9"
    ) as client:
        client.ask.services["inet:127.0.0.1:9"] = "DUNNO"
        await client.say("EHLO x", "MAIL FROM:<>", "RCPT TO:<joe@example.com>")
        await client.say("RCPT TO:<joe@example.com>", "DATA")
        [reply] = await client.say(LETTER)
        names = [dict(request)["queue_id"] for _, request in client.ask.requests]
        assert names == ["", reply.rpartition(" ")[2]]


@asynchronous
async def test_too_many_messages_and_recipients_are_put_off(tmp_path: Path) -> None:
    async with talking(
        tmp_path,
        mynetworks="127.0.0.0/8",
        smtpd_client_message_rate_limit="2",
        smtpd_client_recipient_rate_limit="1",
    ) as client:
        replies = await client.say(
            "EHLO x",
            *("MAIL FROM:<>", "RCPT TO:<joe@example.com>", "RCPT TO:<ann@example.com>", "RSET"),
            *("MAIL FROM:<>", "RSET", "MAIL FROM:<>"),
        )
        assert [reply[:9] for reply in replies[1:]] == [
            *("250 2.1.0", "250 2.1.5", "450 4.7.1", "250 2.0.0"),
            *("250 2.1.0", "250 2.0.0", "450 4.7.1"),
        ]


@asynchronous
async def test_the_administrators_own_networks_are_not_limited(tmp_path: Path) -> None:
    async with talking(
        tmp_path, mynetworks="192.0.2.0/24", smtpd_client_message_rate_limit="1"
    ) as client:
        replies = await client.say("EHLO x", *["MAIL FROM:<>", "RSET"] * 3)
        assert all(reply.startswith("250") for reply in replies)


@asynchronous
async def test_what_policy_services_are_told_of_each_command(tmp_path: Path) -> None:
    """EHLO is asked about before it counts, MAIL before the message has an instance."""
    service = "check_policy_service inet:127.0.0.1:9"
    async with talking(
        tmp_path,
        smtpd_delay_reject="no",
        smtpd_helo_restrictions=service,
        smtpd_sender_restrictions=service,
        smtpd_recipient_restrictions=service,
    ) as client:
        client.ask.services["inet:127.0.0.1:9"] = "DUNNO"
        mail = ("MAIL FROM:<>", "RCPT TO:<joe@example.com>")
        await client.say("EHLO x", "VRFY joe@example.com", *mail)
        told = [dict(request) for _, request in client.ask.requests]
        assert [each["protocol_state"] for each in told] == ["EHLO", "VRFY", "MAIL", "RCPT"]
        assert [each["protocol_name"] for each in told] == ["SMTP", "ESMTP", "ESMTP", "ESMTP"]
        assert [bool(each["instance"]) for each in told] == [False, False, False, True]


@asynchronous
async def test_vrfy_has_no_sender_to_look_at(tmp_path: Path) -> None:
    async with talking(tmp_path, smtpd_sender_restrictions="reject") as client:
        assert (await client.say("EHLO x", "VRFY joe@example.com"))[1].startswith("252")


@asynchronous
async def test_a_refusal_names_the_message_once_it_has_a_name(tmp_path: Path) -> None:
    async with talking(tmp_path, smtpd_data_restrictions="reject") as client:
        await client.say("EHLO x", "MAIL FROM:<>", "RCPT TO:<joe@example.com>", "DATA")
    [event] = journal_of(tmp_path)
    assert event["event"] == "rejected"
    assert event["queue_id"]


@asynchronous
async def test_refusals_say_whom_to_ask(tmp_path: Path) -> None:
    async with talking(tmp_path, smtpd_reject_footer=r"\c: ask $client_address") as client:
        replies = await client.say("EHLO x", "FOO", "NOOP")
        assert replies[1:] == [
            "500 5.5.2 Error: command not recognized: ask 192.0.2.7",
            "250 2.0.0 Ok",
        ]


@asynchronous
async def test_a_socket_of_a_policy_service_may_lie_in_the_queue(tmp_path: Path) -> None:
    async with talking(
        tmp_path,
        queue_directory="/var/queue",
        smtpd_recipient_restrictions="check_policy_service unix:private/policy",
    ) as client:
        await client.say("EHLO x", "MAIL FROM:<>", "RCPT TO:<joe@example.com>")
        assert [endpoint for endpoint, _ in client.ask.requests] == [
            "unix:/var/queue/private/policy"
        ]


@asynchronous
async def test_checks_that_take_too_long_end_with_try_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(service: object, attributes: object) -> str:
        await asyncio.Event().wait()
        return "OK"

    monkeypatch.setattr(dialogue, "CHECKS_S", 0.0)
    rule = "check_policy_service unix:private/policy"
    async with talking(tmp_path, smtpd_recipient_restrictions=rule) as client:
        client.ask.policy = never  # type: ignore[method-assign]
        replies = await client.say("EHLO x", "MAIL FROM:<a@b.example>", "RCPT TO:<joe@example.com>")
        assert replies[-1] == "451 4.3.0 Error: the checks of this command take too long"
        assert (await client.say("RSET"))[0].startswith("250")
