"""local_drops - where a local recipient's message ends up: mailbox, file, command, transport.

SUMMARY      Drops(...): mailbox_file(), maildir(), file(), command(), hand_over(), forward()
             each returns True when the recipient has to be tried again
RULES        nothing is delivered to twice for one recipient of the queue
             files and commands are used with the rights of the user; where nobody's were chosen, or
             root's, with those of default_privs
             without the right to become users, files and commands that a user (not the
             administrator) names are refused: they would have the rights of the mail system
             failures of a file or a command are told to the owner of the alias, if it has one
SOURCE       Postfix local/mailbox.c, file.c, maildir.c, command.c, bounce_workaround.c,
             deliver_pass(3)
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from delivery.agents.base import Agent, Delivery, Part
from delivery.agents.command_environment import client_facts, exported, variables
from delivery.agents.courier import CourierFailed
from delivery.agents.envelope_text import envelope_text
from delivery.agents.local_case import NOBODY, Case, Ledger, Rights, censor, expand
from delivery.agents.local_settings import LocalSettings
from delivery.agents.sysexits import judge
from delivery.courier.wire import Answer, Append, Order, Run, Store
from delivery.values import Content, Outcome, Route, Status
from tables.addresses import Address
from tables.errors import EntryError, TableUnavailable
from tables.values import parse_transport

MISCONFIGURED = "mail system configuration error"
NO_TABLE = "alias database unavailable"


class Helper(Protocol):
    """Who writes files and runs commands (agents.courier.Courier)."""

    @property
    def switches(self) -> bool:
        """True when it can become any user."""

    async def carry(self, order: Order, content: Content | None = None) -> Answer:
        """Have an order carried out. Raises CourierFailed, OSError."""


class Owners(Protocol):
    """Who answers for an alias."""

    def owner_of(self, address: Address) -> Address | None:
        """The address to tell of failures, None when there is none. Raises TableUnavailable."""


@dataclass(slots=True)
class Drops:
    """The ends of one delivery."""

    settings: LocalSettings
    delivery: Delivery
    ledger: Ledger
    owners: Owners
    helper: Helper | None
    agent: Callable[[str], Agent | None]
    hostname: str
    relay: str

    @property
    def is_probe(self) -> bool:
        """True when it is only asked what would be done."""
        return self.delivery.envelope.is_probe

    # notes

    def note(self, case: Case, dsn: str, reason: str, *, where: str = "") -> bool:
        """Write down what came of it; True when it has to be tried again."""
        return self.ledger.note(case, dsn, reason, relay=self.relay, where=where)

    def fail(self, case: Case, dsn: str, reason: str) -> bool:
        """The same for a failure that the owner of the alias should hear of."""
        try:
            owner = self.owners.owner_of(case.address)
        except TableUnavailable:
            return self.note(case, "4.3.0", NO_TABLE)
        owner = None if dsn.startswith("4") else owner
        return self.ledger.note(case, dsn, reason, relay=self.relay, owner=owner)

    # mailboxes

    async def mailbox_file(self, case: Case, rights: Rights) -> bool:
        """Into the user's mailbox file: home_mailbox, or the mail spool directory."""
        settings = self.settings
        if settings.home_mailbox:
            path = f"{rights.home}/{settings.home_mailbox}"
        else:
            path = f"{settings.mail_spool_directory}/{case.user}"
        if self.is_probe:
            return self.note(case, "2.0.0", "delivers to mailbox", where=path)
        case = self._finally(case)
        answer = await self._carry(self._append(case, rights, path, is_mailbox=True))
        if answer.is_done:
            return self.note(case, "2.0.0", "delivered to mailbox", where=answer.where)
        reason = f"cannot update mailbox {path} for user {case.user}. {answer.reason}"
        return self.note(case, answer.dsn, reason)

    async def maildir(self, case: Case, rights: Rights, path: str) -> bool:
        """Into a Maildir."""
        if self.is_probe:
            return self.note(case, "2.0.0", "delivers to maildir", where=path)
        case = self._finally(case)
        order = Store(
            user=rights.user,
            group="",
            path=path,
            prefix=self._lines(case, from_line=False, delivered="file"),
            limit=self.settings.mailbox_size_limit,
            hostname=self.hostname,
        )
        answer = await self._carry(order)
        if answer.is_done:
            return self.note(case, "2.0.0", "delivered to maildir", where=answer.where)
        return self.note(case, answer.dsn, f"maildir delivery failed: {answer.reason}")

    # files and commands

    async def file(self, case: Case, rights: Rights, path: str) -> bool:
        """To /file/name or /directory/."""
        if self.ledger.was_here("file", rights.uid, path):
            return False
        if case.source not in self.settings.allow_mail_to_files:
            return self.fail(case, "5.7.1", "mail to file is restricted")
        if (allowed := self._allowed(rights)) is None:
            return self.note(case, "4.3.5", "cannot write to a file with the rights of its user")
        if path.endswith("/"):
            return await self.maildir(case, allowed, path)
        if self.is_probe:
            return self.note(case, "2.0.0", f"delivers to file: {path}", where=path)
        answer = await self._carry(self._append(case, allowed, path, is_mailbox=False))
        if answer.is_done:
            return self.note(case, "2.0.0", f"delivered to file: {path}", where=path)
        return self.fail(case, answer.dsn, f"cannot append message to file {path}: {answer.reason}")

    async def command(self, case: Case, rights: Rights, line: str) -> bool:
        """To a command."""
        if self.ledger.was_here("command", f"{case.user}:{rights.uid}", line):
            return False
        if (allowed := self._allowed(rights)) is None:
            return self.note(case, "4.3.5", "cannot run a command with the rights of its user")
        if self.is_probe:
            return self.note(case, "2.0.0", f"delivers to command: {line}", where=f"|{line}")
        settings = self.settings
        try:
            directory = expand(
                settings.command_execution_directory,
                case,
                rights,
                allowed=settings.execution_directory_expansion_filter,
                default=settings.recipient_delimiter[:1],
            )
        except EntryError:
            return self.fail(case, "4.3.5", MISCONFIGURED)
        order = Run(
            user=allowed.user,
            group="",
            command=line,
            shell=settings.local_command_shell,
            argv=(),
            exported=exported(settings.export_environment, settings.import_environment),
            variables=self._variables(case, rights),
            directory=directory.text or "",
            chroot="",
            seconds=settings.command_time_limit,
            limit=settings.mailbox_size_limit,
            prefix=self._lines(case, from_line=True, delivered="command"),
            eol="\n",
            quotes_from=False,
            stuffs_dots=False,
            ends_blank=False,
        )
        dsn, reason = judge(await self._carry(order), line)
        if dsn.startswith("2"):
            return self.note(case, dsn, f"delivered to command: {line}", where=f"|{line}")
        return self.fail(case, dsn, reason)

    # other transports

    async def hand_over(self, case: Case, value: str) -> bool:
        """Let another transport deliver to this address: mailbox_transport and the like."""
        try:
            wanted = parse_transport(value)
        except EntryError:
            return self.note(case, "4.3.5", MISCONFIGURED)
        agent = self.agent(wanted.transport)
        if agent is None:
            return self.note(case, "4.3.0", "mail transport unavailable")
        # deliver_pass(3): without a next hop, that of this delivery
        route = Route(wanted.transport, wanted.nexthop or self.delivery.route.nexthop)
        recipient = case.recipient
        result = await agent.deliver(replace(self.delivery, route=route, recipients=(recipient,)))
        self.ledger.passed_on |= result.passed_on
        for outcome in result.outcomes:
            parts = result.parts.get(outcome.recipient) or (Part(outcome=outcome),)
            self.ledger.parts += [replace(part, route=part.route or route) for part in parts]
        return any(outcome.status is Status.DEFERRED for outcome in result.outcomes)

    def forward(self, case: Case) -> bool:
        """Enter this address as a recipient of a new message, once."""
        if not self.ledger.was_here("indirect", case.address.internal):
            self.ledger.forward(case)
        return False

    # inside

    def _finally(self, case: Case) -> Case:
        """The case at a mailbox: with frozen_delivered_to = no its own address is shown."""
        if self.settings.frozen_delivered_to:
            return case
        return replace(case, delivered=case.address)

    def _allowed(self, rights: Rights) -> Rights | None:
        """Whose rights are used in the end; None when there is no way to use only theirs."""
        if rights.is_privileged:
            return replace(rights, user=self.settings.default_privs)
        if rights.of_user and self.helper is not None and not self.helper.switches:
            return rights if rights.uid == os.geteuid() else None
        return rights

    def _append(self, case: Case, rights: Rights, path: str, *, is_mailbox: bool) -> Append:
        settings = self.settings
        return Append(
            user=rights.user,
            group="",
            path=path,
            prefix=self._lines(case, from_line=True, delivered="file"),
            limit=settings.mailbox_size_limit,
            locks=settings.mailbox_delivery_lock,
            attempts=settings.deliver_lock_attempts,
            delay_s=settings.deliver_lock_delay,
            stale_s=settings.stale_lock_time,
            is_mailbox=is_mailbox,
            owned=settings.strict_mailbox_ownership,
        )

    def _lines(self, case: Case, *, from_line: bool, delivered: str) -> str:
        settings = self.settings
        shows = settings.enable_original_recipient and case.original != NOBODY
        return envelope_text(
            case.sender,
            from_line=from_line,
            return_path=True,
            original=case.original if shows else None,
            delivered=case.delivered if delivered in settings.prepend_delivered_header else None,
        )

    def _variables(self, case: Case, rights: Rights) -> tuple[str, ...]:
        """What the command finds about the message. local(8) EXTERNAL COMMAND DELIVERY."""
        sure = {
            "LOGNAME": case.user,
            "USER": case.user,
            "SENDER": case.sender.internal,
            "RECIPIENT": case.address.internal,
            "LOCAL": case.local,
        }
        perhaps = {
            "HOME": rights.home,
            "SHELL": rights.shell,
            "DOMAIN": case.domain,
            "ORIGINAL_RECIPIENT": case.original.internal,
            **client_facts(self.delivery.envelope),
        }
        facts = sure | {name: value for name, value in perhaps.items() if value}
        if case.extension is not None:
            facts["EXTENSION"] = case.extension
        allowed = self.settings.command_expansion_filter
        return variables((name, censor(value, allowed)) for name, value in facts.items())

    async def _carry(self, order: Order) -> Answer:
        if self.helper is None:
            return Answer(dsn="4.3.5", reason="there is no local delivery helper")
        try:
            return await self.helper.carry(order, self.delivery.content)
        except CourierFailed as error:
            return Answer(dsn="4.3.0", reason=str(error))
        except OSError as error:
            return Answer(dsn="4.3.0", reason=f"cannot read the message: {error}")


def worst(parts: list[Part]) -> Outcome | None:
    """The outcome that says most about a recipient: bounced before deferred before sent."""
    for status in (Status.BOUNCED, Status.DEFERRED, Status.SENT):
        for part in parts:
            if part.outcome.status is status and not part.is_news:
                return part.outcome
    return None
