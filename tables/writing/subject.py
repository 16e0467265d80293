"""subject - a compiled generation as the checks of lint look at it.

SUMMARY      Subject: places (main.cf, each service), settings, restriction calls, references
RULES        everything is read as the engine will read it: expanded, with a service's overrides;
             what cannot be read is empty here, and one check of lint says so
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from tables import expansion, specs
from tables.errors import EntryError, TableError
from tables.itemtext import split_items
from tables.manifest import Content, TableContent
from tables.parameters import Parameters, ParameterType, find
from tables.restrictions import RESTRICTIONS, Argument, RestrictionCall, parse_restrictions
from tables.writing.classes import Classes
from tables.writing.notes import TableNotes
from tables.writing.rows import Rows
from tables.writing.store import Build


@dataclass(frozen=True, slots=True)
class Place:
    """Where parameters are set: main.cf, or one service of master.cf."""

    name: str  # '' for main.cf
    row: str  # of the service
    daemon: str
    parameters: Parameters
    own: Mapping[str, str]

    @property
    def label(self) -> str:
        """What stands before a message."""
        return f"Service {self.name}: " if self.name else ""

    def decides(self, daemon: str, *names: str) -> bool:
        """True for main.cf, and for a service of that daemon that sets one of these itself."""
        is_its_own = self.daemon == daemon and not self.own.keys().isdisjoint(names)
        return not self.name or is_its_own


class Subject:
    """What was compiled, and what it was compiled from."""

    def __init__(
        self,
        rows: Rows,
        content: Content,
        origins: Mapping[str, str],
        notes: Mapping[str, TableNotes],
        build: Build,
        before: Content | None = None,
    ) -> None:
        self.rows = rows
        self.content = content
        self.notes = notes  # of each table
        self._origins = origins  # parameter -> row
        parameters = Parameters(content.parameters)
        self.refused_tables = {record.name for record in rows.tables} - content.tables.keys()
        self.main = Place("", "", "", parameters, content.parameters)
        self.places = (self.main, *self._services(parameters))
        self.classes = frozenset(self.items(self.main, "smtpd_restriction_classes"))
        self.domain_classes = Classes(parameters, content, build)
        self.classes_before = (
            None if before is None else Classes(Parameters(before.parameters), before, build)
        )

    def _services(self, parameters: Parameters) -> Iterator[Place]:
        rows = {(item.service.name, item.service.type): item.row for item in self.rows.services}
        for service in self.content.services:
            yield Place(
                f"{service.name}/{service.type}",
                rows[service.name, service.type],
                service.daemon,
                parameters.with_overrides(service.overrides),
                service.overrides,
            )

    @cached_property
    def own_names(self) -> frozenset[str]:
        """Names that the administrator made up: classes, and what other values refer to."""
        found = set(self.classes)
        for place in self.places:
            for text in place.own.values():
                try:
                    found |= expansion.names(text)
                except EntryError:
                    continue  # the check of values says so
        return frozenset(found)

    def row(self, place: Place, name: str) -> str:
        """The row that a setting comes from; '' when nobody set it."""
        return place.row or self._origins.get(name, "")

    def settings(self) -> Iterator[tuple[Place, str, str]]:
        """Everything that somebody set: place, parameter, text as written."""
        for place in self.places:
            for name, text in place.own.items():
                yield place, name, text

    def items(self, place: Place, name: str) -> tuple[str, ...]:
        """The items of a list."""
        try:
            return place.parameters.items(name)
        except TableError:
            return ()

    def calls(self, place: Place, name: str) -> tuple[RestrictionCall, ...]:
        """The members of a restriction list or class. Raises TableError."""
        parameter = find(name)
        stage = "" if parameter is None else parameter.stage
        return parse_restrictions(place.parameters.text(name), self.classes, stage=stage)

    def known_calls(self, place: Place, name: str) -> tuple[RestrictionCall, ...]:
        """The same; nothing where it cannot be read."""
        try:
            return self.calls(place, name)
        except TableError:
            return ()

    def smtpd_places(self) -> Iterator[Place]:
        """Main.cf, and the services that speak SMTP with lists of their own."""
        yield self.main
        for place in self.places[1:]:
            if place.daemon == "smtpd" and any(
                name in place.own
                for name in ("smtpd_relay_restrictions", "smtpd_recipient_restrictions")
            ):
                yield place

    def table(self, item: str) -> TableContent | None:
        """The table that a list item names; None for anything else."""
        try:
            return self.content.tables.get(specs.parse_reference(item).name)
        except EntryError:
            return None

    def _is_readable(self, item: str) -> bool:
        """False for what the check of values has reported."""
        try:
            specs.parse_reference(item)
        except EntryError:
            return False
        return True

    def references(self) -> Iterator[tuple[str, str, str, str]]:
        """Every reference to a table: text, parameter ('' elsewhere), where it stands, row."""
        for place, name, _ in self.settings():
            parameter = find(name)
            where, row = f"{place.label}{name}", self.row(place, name)
            if name in self.classes or (
                parameter is not None and parameter.type is ParameterType.RESTRICTIONS
            ):
                items = tuple(
                    call.argument for call in self.known_calls(place, name) if not _is_service(call)
                )
            elif parameter is not None and parameter.type is ParameterType.TABLES:
                items = tuple(item for item in self.items(place, name) if self._is_readable(item))
            elif parameter is not None and parameter.type is ParameterType.LIST:
                items = self.items(place, name)
            else:
                continue
            for item in items:
                for text in nested(item):
                    yield text, name, where, row
        named: dict[str, str] = {}
        for notes in self.notes.values():
            for row, words in notes.references.items():
                for text in words.split():
                    named[text] = min(row, named.get(text, row))
        for text, row in sorted(named.items()):
            yield text, "", "An access rule", row


def _is_service(call: RestrictionCall) -> bool:
    """unix:private/policy names a socket here, not a table of the type unix."""
    known = RESTRICTIONS.get(call.name)
    return known is not None and known.argument is Argument.SERVICE


def nested(item: str) -> Iterator[str]:
    """A reference, and those inside of it: unionmap:{hash:a, hash:b}."""
    body = item.lstrip("!")
    if not specs.is_reference(body):
        return
    yield body
    type_name, _, content = body.partition(":")
    if type_name in ("unionmap", "pipemap") and content[:1] == "{" and content[-1:] == "}":
        for inner in split_items(content[1:-1]):
            yield from nested(inner)
