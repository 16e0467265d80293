"""Errors, junk and blame of one connection."""

from __future__ import annotations

from pathlib import Path

from delivery.policy.verdict import Blame
from tests.delivery.runtime.asynchronous import asynchronous
from tests.delivery.runtime.talker import LETTER, talking


@asynchronous
async def test_a_message_lets_errors_be_forgotten(tmp_path: Path) -> None:
    async with talking(tmp_path, smtpd_hard_error_limit="3") as client:
        mail = ("MAIL FROM:<a@b.example>", "RCPT TO:<joe@example.com>", "DATA", LETTER)
        await client.say("EHLO x", "FOO", "FOO")
        assert not client.dialogue.faults.are_too_many
        assert client.dialogue.faults.blamed
        await client.say(*mail)
        assert not client.dialogue.faults.blamed
        await client.say("FOO", "FOO")
        assert not client.dialogue.faults.are_too_many
        await client.say("FOO")
        assert client.dialogue.faults.are_too_many


@asynchronous
async def test_an_alias_that_stands_for_too_many_is_no_fault_of_our_software(
    tmp_path: Path,
) -> None:
    aliases = "inline:{ {joe@example.com = a@x.example, b@x.example} }"
    given = {"virtual_alias_maps": aliases, "virtual_alias_expansion_limit": "1"}
    async with talking(tmp_path, **given) as client:
        mail = ("MAIL FROM:<a@b.example>", "RCPT TO:<joe@example.com>", "DATA", LETTER)
        assert (await client.say("EHLO x", *mail))[-1].startswith("451 4.6.0 ")
        assert client.dialogue.faults.blamed == {Blame.POLICY}


@asynchronous
async def test_commands_that_do_nothing_are_errors_in_the_end(tmp_path: Path) -> None:
    """postconf(5) smtpd_junk_command_limit; a mistake in one counts as both."""
    limits = {"smtpd_junk_command_limit": "2", "smtpd_hard_error_limit": "2"}
    async with talking(tmp_path, **limits) as client:
        await client.say("EHLO x", "NOOP", "NOOP")
        assert not client.dialogue.faults.are_too_many
        await client.say("NOOP")
        assert not client.dialogue.faults.are_too_many
        await client.say("NOOP")
        assert client.dialogue.faults.are_too_many
    async with talking(tmp_path / "mistake", **limits) as client:
        await client.say("EHLO x", "NOOP", "NOOP", "VRFY")
        assert client.dialogue.faults.are_too_many


@asynchronous
async def test_recipients_beyond_the_limit_are_no_errors_at_first(tmp_path: Path) -> None:
    """postconf(5) smtpd_recipient_overshoot_limit."""
    limits = {"smtpd_recipient_limit": "1", "smtpd_recipient_overshoot_limit": "2"}
    async with talking(tmp_path, smtpd_hard_error_limit="1", **limits) as client:
        await client.say("EHLO x", "MAIL FROM:<>", *["RCPT TO:<joe@example.com>"] * 3)
        assert not client.dialogue.faults.are_too_many
        await client.say("RCPT TO:<joe@example.com>")
        assert client.dialogue.faults.are_too_many
