"""lists - the text of a restriction list becomes a tuple of steps, once per snapshot.

SUMMARY      Compiler.compile(parameter) for the lists of main.cf, with their classes and tables
             Compiler.from_table(text) for a list that an access table answered with
RULES        tables are opened when a list is compiled; a list from a table may not name any
             a bare type:name is the check_..._access of the list in which it is walked
ERRORS       ParameterError: unknown restriction, missing or bad argument, class without definition
SOURCE       Postfix smtpd_check(3) smtpd_check_parse; RESTRICTION_CLASS_README
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

from delivery.policy import (  # noqa: F401 - imported for what they register
    backup,
    client,
    delegate,
    etrn,
    general,
    helo,
    recipient,
    sender,
    server,
)
from delivery.policy import dnslist as dns_lists
from delivery.policy.case import Case
from delivery.policy.facts import Tables
from delivery.policy.registry import Answer, Function, Registered, find
from delivery.policy.settings import PolicySettings
from delivery.policy.verdict import server_error
from tables.errors import EntryError, ParameterError
from tables.itemtext import split_items
from tables.parameters import Parameters
from tables.reading.lookup import Maps
from tables.restrictions import Argument, RestrictionCall, parse_restrictions

KEPT_LISTS = 1000  # distinct lists from access tables that are kept compiled


@dataclass(frozen=True, slots=True)
class Step:
    """One member of a list. Without `function` it is a restriction class, found by its name."""

    name: str
    argument: str = ""
    function: Function | None = None
    given: Any = None  # the argument, made ready for it
    warn: bool = False  # warn_if_reject stands before it


class Compiler:
    """Makes steps. `classes` holds the restriction classes, by the name used in lists."""

    def __init__(self, settings: PolicySettings, parameters: Parameters, tables: Tables) -> None:
        self._settings = settings
        self._parameters = parameters
        self._tables = tables
        self._names = settings.smtpd_restriction_classes
        self._from_tables: dict[str, tuple[Step, ...]] = {}
        self.classes = {name: self.compile(name) for name in self._names}

    def compile(self, parameter: str) -> tuple[Step, ...]:
        """The steps of the list that a parameter holds; raises ParameterError."""
        text = self._parameters.text(parameter)
        if not text.strip() and parameter in self._names:
            message = f"Restriction class {parameter} needs a definition."
            raise ParameterError(message, name="smtpd_restriction_classes")
        try:
            calls = parse_restrictions(text, self._names)
            return tuple(self._step(call) for call in calls)
        except EntryError as error:
            raise ParameterError(f"{parameter}: {error}", name=parameter) from error

    def from_table(self, text: str) -> tuple[Step, ...]:
        """The steps of a list found in an access table; raises EntryError."""
        steps = self._from_tables.get(text)
        if steps is None:
            steps = tuple(self._step(call) for call in parse_restrictions(text, self._names))
            if len(self._from_tables) >= KEPT_LISTS:
                self._from_tables.clear()
            self._from_tables[text] = steps
        return steps

    def _step(self, call: RestrictionCall) -> Step:
        if not call.name:
            maps = self._tables.maps(call.argument)
            return Step("", call.argument, _bare, maps, call.warn_if_reject)
        if call.name in self._names:
            return Step(call.name, warn=call.warn_if_reject)
        known = find(call.name)
        if known is None:
            raise EntryError(f"The restriction {call.name} is not available yet.")
        argument = self._argument(known, call.argument)
        return Step(call.name, call.argument, known.function, argument, call.warn_if_reject)

    def _argument(self, known: Registered, text: str) -> Any:
        match known.argument:
            case Argument.TABLE:
                return self._maps(text)
            case Argument.DOMAIN:
                return dns_lists.parse(text)
            case Argument.SERVICE:
                return delegate.parse_service(text, self._settings)
            case Argument.NUMBER:
                return float(text)
            case _:
                return None

    def _maps(self, text: str) -> Maps:
        """ "type:name", or "{ type:name, name=value }" of which the table is used."""
        if text.startswith("{"):
            items = split_items(text[1:].removesuffix("}"))
            if not items:
                raise EntryError("There is no table between the braces.")
            return self._tables.maps(items[0])
        return self._tables.maps(text)


def _bare(case: Case, maps: Maps) -> Answer | Awaitable[Answer]:
    """A table without a restriction before it, as in the year 2000. SMTPD_ACCESS_README."""
    known = find(case.default_access)
    if known is None:
        return server_error(f"{case.list_name}: write check_..._access before a table")
    return known.function(case, maps)
