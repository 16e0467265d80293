"""local_tree - a local recipient becomes what its aliases, .forward and :include: files name.

SUMMARY      await Tree(...).deliver(case) -> True when the recipient has to be tried again
ORDER        aliases (user+ext, then user), .forward, mailbox_transport(_maps), the user's mailbox,
             fallback_transport(_maps), luser_relay; postmaster and mailer-daemon are discarded;
             else the user is unknown
RULES        an alias or a .forward that names its own user means that user's mailbox
             names of local users are expanded here; below an alias with an owner, a .forward or an
             :include: they become recipients of a new message, as all other addresses do
             every destination has an outcome of its own; what one of them gets wrong does not stop
             the others. A .forward or :include: file is left at the line that has to be tried again
LIMITS       LEVEL_LIMIT steps below each other; every name, file and command once
SOURCE       Postfix local/recipient.c, alias.c, dotforward.c, include.c, token.c, resolve.c,
             unknown.c; aliases(5), local(8)
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from delivery import log
from delivery.agents.courier import CourierFailed
from delivery.agents.local_case import (
    LEVEL_LIMIT,
    NOBODY,
    Case,
    Rights,
    expand,
    split_user,
)
from delivery.agents.local_drops import MISCONFIGURED, NO_TABLE, Drops
from delivery.agents.local_tables import AliasOwners, LocalTables, Maps, Routing
from delivery.agents.users import LookupFailed, User, Users
from delivery.courier.wire import Answer, ReadForward, ReadInclude
from delivery.trace import HeaderScan
from tables.addresses import Address
from tables.destinations import (
    Destination,
    Kind,
    read_destinations,
    read_file,
    read_relay,
)
from tables.errors import EntryError, TableUnavailable
from tables.keys import Key, alias_keys

TABLE_FAILURE = "table lookup failure"
TURN = 100  # destinations before others get their turn
PATTERNS = ("regexp:", "pcre:")


@dataclass(slots=True)
class Tree:
    """The expansion of one recipient of the queue."""

    drops: Drops
    tables: LocalTables
    routing: Routing
    owners: AliasOwners
    users: Users | None
    seen: HeaderScan

    async def deliver(self, case: Case, rights: Rights) -> bool:
        """Deliver to a local address. Postfix deliver_recipient."""
        case = replace(case, level=case.level + 1)
        drops, settings = self.drops, self.drops.settings
        if case.level > LEVEL_LIMIT:
            return drops.note(case, "5.4.6", "recipient nesting limit exceeded")
        if drops.ledger.was_here("recipient", case.level, case.address.internal):
            return False
        if self.seen.was_delivered_to(case.address):
            return drops.fail(case, "5.4.6", f"mail forwarding loop for {case.address.internal}")
        local, user, extension = split_user(case.address.local, settings.recipient_delimiter)
        case = replace(
            case,
            delivered=case.address if case.delivered == NOBODY else case.delivered,
            local=local,
            domain=case.address.domain.lower(),
            user=user,
            extension=extension,
            unmatched=None,
        )
        if not user:
            return drops.note(case, "5.1.3", f'null username in "{case.address.internal}"')
        return await self._switch(case, rights)

    async def _switch(self, case: Case, rights: Rights) -> bool:
        case = replace(case, level=case.level + 1)
        if case.local.startswith("\\"):
            return await self._plain(case, rights)
        if (again := await self._alias(case, rights, case.local)) is not None:
            return again
        if case.extension is not None:
            propagates = "alias" in self.drops.settings.propagate_unmatched_extensions
            below = replace(case, unmatched=case.extension if propagates else None)
            if (again := await self._alias(below, rights, case.user)) is not None:
                return again
            case = replace(case, unmatched=case.extension)
        if case.owner is not None and case.owner.casefold() != case.user.casefold():
            return self.drops.forward(case)
        if case.source == "include":
            return self.drops.forward(case)
        try:
            user = await self._user(case)
        except LookupFailed:
            return self.drops.note(case, "4.0.0", "user lookup error")
        if user is not None and self.drops.settings.require_home_directory:
            seen = await self._ask(ReadForward(user=user.name, paths=(user.home,)))
            if not seen.is_done or seen.found < 0:
                reason = f"cannot access home directory {user.home}"
                return self.drops.note(case, "4.3.0", reason)
        if user is not None and (again := await self._dot_forward(case, user)) is not None:
            return again
        if (again := await self._mailbox(case, user)) is not None:
            return again
        return await self._unknown(case, rights)

    async def _plain(self, case: Case, rights: Rights) -> bool:
        """\\user means the mailbox of the user: no aliases, no .forward. Postfix deliver_switch."""
        case = replace(
            case,
            address=Address(case.address.local[1:], case.address.domain),
            local=case.local[1:],
            user=case.user[1:],
        )
        try:
            user = await self._user(case)
        except LookupFailed:
            return self.drops.note(case, "4.0.0", "user lookup error")
        if (again := await self._mailbox(case, user)) is not None:
            return again
        return await self._unknown(case, rights)

    async def _user(self, case: Case) -> User | None:
        return None if self.users is None else await self.users.find(case.user)

    # aliases

    async def _alias(self, case: Case, rights: Rights, name: str) -> bool | None:
        """Expand an alias; None when there is none of that name."""
        case = replace(case, level=case.level + 1)
        if case.came_from.casefold() == name.casefold():
            return None
        drops = self.drops
        if case.level > LEVEL_LIMIT:
            return drops.note(case, "5.4.6", f"alias database loop for {name}")
        try:
            found = self.tables.alias_maps.find(alias_keys(name))
            if found is None:
                return None
            owner = self.owners.of_name(name)
        except TableUnavailable:
            return drops.note(case, "4.3.0", NO_TABLE)
        below = replace(
            case,
            came_from=name,
            source="alias",
            notify=_without_success(case.notify),
            delivered=self._delivered(case),
        )
        if owner is not None:
            text = owner.internal
            below = replace(below, sender=owner, owner=text, orcpt="", original=NOBODY)
        elif drops.settings.reset_owner_alias:
            below = replace(below, owner=None)
        if drops.is_probe:  # what it stands for is not asked for
            return drops.note(case, "2.0.0", f"aliased to {found.value}")
        destinations = read_destinations(found.value)
        if not destinations:
            return drops.note(below, "4.3.0", NO_TABLE)
        if found.table.startswith(PATTERNS):
            below = replace(below, source="pattern")
        again = await self._all(below, Rights(), destinations)
        if "SUCCESS" in case.notify:  # RFC 3461 5.2.7: a list has delivered, an alias expanded
            where = "" if owner is None else name
            drops.ledger.announce(case, "alias expanded", relay=drops.relay, where=where)
        return again

    def _delivered(self, case: Case) -> Address:
        return case.delivered if self.drops.settings.frozen_delivered_to else case.address

    # .forward

    async def _dot_forward(self, case: Case, user: User) -> bool | None:
        """Expand the user's .forward; None when there is none, or nothing in it."""
        drops, settings = self.drops, self.drops.settings
        if case.came_from.casefold() == case.user.casefold():
            return None  # it names its own user
        case = replace(case, level=case.level + 1)
        rights = _rights_of(user, of_user=True)
        below = replace(
            case,
            delivered=self._delivered(case),
            source="forward",
            owner=case.user,
        )
        paths = [
            template
            for item in re.split(r"[,\s]+", settings.forward_path.strip())
            if item
            and (
                template := expand(
                    item,
                    below,
                    rights,
                    allowed=settings.forward_expansion_filter,
                    default=settings.recipient_delimiter[:1],
                )
            ).text
        ]
        known = [path for path in paths if path.text and path.text.startswith("/")]
        if not known:
            return None
        order = ReadForward(user=user.name, paths=tuple(path.text or "" for path in known))
        answer = await self._ask(order)
        if not answer.is_done:
            return drops.note(below, answer.dsn, answer.reason)
        if answer.found < 0:
            return None
        path = known[answer.found]
        if path.used_extension or "forward" not in settings.propagate_unmatched_extensions:
            below = replace(below, unmatched=None)
        return await self._read_forward(below, rights, answer, path.text or "")

    async def _read_forward(
        self, case: Case, rights: Rights, answer: Answer, path: str
    ) -> bool | None:
        drops = self.drops
        if drops.ledger.was_here("forward", path):
            return False if drops.ledger.knows("forward-done", path) else None
        if answer.reason:
            log.event("local", queue_id=drops.delivery.queue_id, problem=answer.reason)
            return None
        below = replace(case, came_from=case.local, notify=_without_success(case.notify))
        count, again = await self._lines(below, rights, answer.text)
        if not count:
            return None
        drops.ledger.was_here("forward-done", path)
        if not again and "SUCCESS" in case.notify:
            drops.ledger.announce(case, "alias expanded", relay=drops.relay)
        return again

    # :include:

    async def _include(self, case: Case, rights: Rights, path: str) -> bool:
        drops = self.drops
        case = replace(case, level=case.level + 1)
        if case.level > LEVEL_LIMIT:
            return drops.note(case, "5.4.6", ":include: nesting limit exceeded")
        if drops.ledger.was_here("include", rights.uid, path):
            return False
        case = replace(case, came_from=case.local)
        if not path.startswith("/"):
            self._warn(f":include:{path} uses a relative path")
            return drops.note(case, "5.3.5", MISCONFIGURED)
        user = "" if rights.is_privileged else rights.user
        fallback = drops.settings.default_privs
        answer = await self._ask(ReadInclude(user=user, path=path, fallback=fallback))
        if not answer.is_done:
            self._warn(answer.reason)
            is_ours = answer.dsn.startswith("5.3.5") or answer.dsn == "4.3.5"
            return drops.note(case, answer.dsn, MISCONFIGURED if is_ours else answer.reason)
        if rights.is_privileged and answer.owner:
            try:
                owner = await self.users.find(answer.owner) if self.users is not None else None
            except LookupFailed:
                owner = None
            if owner is None:
                return drops.note(case, "4.3.5", MISCONFIGURED)
            rights = _rights_of(owner, of_user=True)
        propagates = "include" in drops.settings.propagate_unmatched_extensions
        below = replace(
            case,
            source="include",
            owner=case.address.internal if case.owner is None else case.owner,
            unmatched=case.unmatched if propagates else None,
        )
        _, again = await self._lines(below, rights, answer.text)
        return again

    # what is named

    async def _lines(self, case: Case, rights: Rights, text: str) -> tuple[int, bool]:
        """(how many destinations, again) of the lines of a file."""
        count = 0
        for line in read_file(text):
            destinations = read_destinations(line)
            count += len(destinations)
            if await self._all(case, rights, destinations):
                return count, True
        return count, False

    async def _all(self, case: Case, rights: Rights, destinations: Iterable[Destination]) -> bool:
        again = False
        for destination in destinations:
            again |= await self._one(case, rights, destination)
        return again

    async def _one(self, case: Case, rights: Rights, destination: Destination) -> bool:
        drops, text = self.drops, destination.text
        ledger = drops.ledger
        ledger.destinations += 1
        if ledger.destinations % TURN == 0:
            await asyncio.sleep(0)
        if ledger.destinations > ledger.most:
            if ledger.destinations > ledger.most + 1:
                return False
            return drops.note(case, "5.4.6", f"more than {ledger.most} destinations")
        if case.source == "pattern" and destination.kind is not Kind.ADDRESS:
            # an outsider's text could be part of what a pattern gives
            self._warn("a pattern table may name addresses alone")
            return drops.note(case, "4.3.5", MISCONFIGURED)
        match destination.kind:
            case Kind.COMMAND:
                if case.source not in drops.settings.allow_mail_to_commands:
                    return drops.note(case, "5.7.1", "mail to command is restricted")
                return await drops.command(case, rights, text)
            case Kind.FILE:
                return await drops.file(case, rights, text)
            case Kind.HOME_FILE if text.startswith("~/") and rights.home:
                return await drops.file(case, rights, rights.home.rstrip("/") + text[1:])
            case Kind.HOME_FILE:
                self._warn(f"unknown home directory, or bad syntax: {text}")
                return drops.note(case, "5.3.5", MISCONFIGURED)
            case Kind.INCLUDE:
                return await self._include(case, rights, text)
            case Kind.ADDRESS if destination.address is not None:
                return await self._address(case, rights, destination.address)
            case _:
                return drops.note(case, "5.1.3", f"bad recipient address syntax: {text[:200]}")

    async def _address(self, case: Case, rights: Rights, address: Address) -> bool:
        """Deliver to an address that something names. Postfix deliver_resolve_tree."""
        case = replace(case, level=case.level + 1)
        try:
            target, transport = self.routing.route(address, case.sender)
        except TableUnavailable:
            return self.drops.note(case, "4.3.0", "address resolver failure")
        if not transport:
            reason = f"bad recipient address syntax: {target.internal}"
            return self.drops.note(case, "5.1.3", reason)
        if case.unmatched is not None:
            target = Address(f"{target.local}{case.delimiter}{case.unmatched}", target.domain)
        below = replace(case, address=target)
        if transport == self.drops.delivery.route.transport:
            return await self.deliver(below, rights)
        return self.drops.forward(below)

    # mailboxes

    async def _mailbox(self, case: Case, user: User | None) -> bool | None:
        """Deliver to the mailbox of a user; None when there is none."""
        drops, settings = self.drops, self.drops.settings
        if drops.ledger.was_here("mailbox", case.local):
            return False
        try:
            passed = self._named(self.tables.mailbox_transport_maps, case.user)
            passed = passed or settings.mailbox_transport
            if passed:
                return await drops.hand_over(case, passed)
            if user is None:
                return None
            command = self._named(self.tables.mailbox_command_maps, case.user)
        except TableUnavailable:
            return drops.note(case, "4.3.0", TABLE_FAILURE)
        rights = _rights_of(user)
        if command := command or settings.mailbox_command:
            return await drops.command(case, rights, command)
        if settings.home_mailbox.endswith("/"):
            return await drops.maildir(case, rights, f"{user.home}/{settings.home_mailbox}")
        if not settings.home_mailbox and settings.mail_spool_directory.endswith("/"):
            path = f"{settings.mail_spool_directory}{case.user}/"
            return await drops.maildir(case, rights, path)
        return await drops.mailbox_file(case, rights)

    async def _unknown(self, case: Case, rights: Rights) -> bool:
        """Nobody knows this user."""
        drops, settings = self.drops, self.drops.settings
        if drops.ledger.was_here("deliver_unknown", case.local):
            return False
        unknown = f'unknown user: "{case.user}"'
        try:
            passed = self._named(self.tables.fallback_transport_maps, case.user)
        except TableUnavailable:
            return drops.note(case, "4.3.0", TABLE_FAILURE)
        if passed := passed or settings.fallback_transport:
            return await drops.hand_over(case, passed)
        if settings.luser_relay:
            try:
                template = expand(
                    settings.luser_relay,
                    case,
                    rights,
                    allowed="",
                    default=settings.recipient_delimiter[:1],
                )
            except EntryError:
                return drops.note(case, "4.3.5", MISCONFIGURED)
            relay = read_relay(template.text or "")
            if relay is None:
                return drops.note(case, "5.1.3", f"bad recipient address syntax: {template.text}")
            if self.routing.complete(relay).internal.casefold() == case.folded:
                return drops.note(case, "5.1.1", unknown)
            return await self._address(replace(case, unmatched=None), rights, relay)
        is_reserved = case.user in ("postmaster", "mailer-daemon")  # RFC 5321 4.5.1: never refused
        if is_reserved or case.local == settings.double_bounce_sender.lower():
            self._warn(f"required alias not found: {case.user}")
            return drops.note(case, "2.0.0", "discarded")
        return drops.note(case, "5.1.1", unknown)

    # inside

    def _named(self, maps: Maps | None, user: str) -> str:
        """What a table of user names says. Raises TableUnavailable."""
        found = None if maps is None else maps.find((Key(user),))
        return "" if found is None else found.value.strip()

    async def _ask(self, order: ReadForward | ReadInclude) -> Answer:
        helper = self.drops.helper
        if helper is None:
            return Answer(dsn="4.3.0", reason="there is no local delivery helper")
        try:
            return await helper.carry(order)
        except (CourierFailed, OSError) as error:
            return Answer(dsn="4.3.0", reason=str(error))

    def _warn(self, problem: str) -> None:
        log.event("local", queue_id=self.drops.delivery.queue_id, problem=problem)


def _rights_of(user: User, *, of_user: bool = False) -> Rights:
    return Rights(user=user.name, uid=user.uid, home=user.home, shell=user.shell, of_user=of_user)


def _without_success(notify: frozenset[str]) -> frozenset[str]:
    """RFC 3461 5.2.7.1: success is reported once, by us."""
    if "SUCCESS" not in notify:
        return notify
    return notify - {"SUCCESS"} or frozenset({"NEVER"})
