"""lists - which restriction lists become rows of their own, and which stay parameters.

SUMMARY      plan_lists(settings, report) -> name -> PlannedList
RULES        a list becomes a row when every word of it can be read by itself: a list with $names
             in it stays a parameter, and so does one with an argument that is too long for a row.
             Either all restriction classes become rows or none, because the names of those that
             are rows make up smtpd_restriction_classes.
             A bare table becomes the restriction that it stands for in that list, an old word the
             new one; a class that is announced and never set is an empty list, as in Postfix.
SOURCE       RESTRICTION_CLASS_README, postconf(5) smtpd_..._restrictions
"""

from __future__ import annotations

from dataclasses import dataclass

from django.core.exceptions import ValidationError

from panel.models import Restriction
from panel.services.importer.report import ImportReport, Level
from panel.services.importer.settings import CLASSES, MAIN, Settings
from panel.validators import check_restriction_list
from tables.errors import EntryError
from tables.itemtext import split_items
from tables.mainfile import Setting
from tables.parameters import ParameterType, find
from tables.restrictions import SYNONYMS, RestrictionCall, parse_restrictions

_ARGUMENT_LENGTH = Restriction._meta.get_field("argument").max_length or 0


@dataclass(frozen=True, slots=True)
class PlannedList:
    """One list or class."""

    is_class: bool
    calls: tuple[RestrictionCall, ...]


def plan_lists(settings: Settings, report: ImportReport) -> dict[str, PlannedList]:
    """What becomes a row."""
    classes = settings.classes
    for name in classes:
        if name not in settings.parameters:
            line = settings.parameters[CLASSES].line
            settings.parameters[name] = Setting(line, name, "")
            text = f"The restriction class {name} is never set: it is empty."
            report.add(Level.APPROXIMATED, MAIN, line, text)
    planned = _read_all(settings, classes, is_class=True, report=report)
    if len(planned) < len(classes):
        planned = {}
    names = [name for name in settings.parameters if _is_list(name)]
    planned |= _read_all(settings, tuple(names), is_class=False, report=report)
    return planned


def _is_list(name: str) -> bool:
    known = find(name)
    return known is not None and known.type is ParameterType.RESTRICTIONS


def _read_all(
    settings: Settings, names: tuple[str, ...], *, is_class: bool, report: ImportReport
) -> dict[str, PlannedList]:
    found = {}
    for name in names:
        setting = settings.parameters[name]
        try:
            check_restriction_list(name, is_class=is_class)
            calls = _calls(setting, settings.classes)
        except (EntryError, ValidationError) as error:
            text = error.messages[0] if isinstance(error, ValidationError) else str(error)
            report.add(Level.APPROXIMATED, MAIN, setting.line, f"{name} stays as text: {text}")
            continue
        found[name] = PlannedList(is_class, calls)
        _note_old_words(setting, report)
    return found


def _calls(setting: Setting, classes: tuple[str, ...]) -> tuple[RestrictionCall, ...]:
    """The members of a list that can be rows. Raises EntryError."""
    known = find(setting.name)
    stage = "" if known is None else known.stage
    if "$" in setting.value:
        raise EntryError("it refers to other parameters.")
    calls = parse_restrictions(setting.value, classes, stage=stage)
    for call in calls:
        if not call.name:
            raise EntryError(f"{call.argument} stands there without a restriction before it.")
        if len(call.argument) > _ARGUMENT_LENGTH:
            raise EntryError(f"what follows {call.name} is too long.")
    return calls


def _note_old_words(setting: Setting, report: ImportReport) -> None:
    for word in split_items(setting.value):
        if (new := SYNONYMS.get(word.lower())) is not None:
            text = f"{setting.name}: {word} is called {new} now."
            report.add(Level.APPROXIMATED, MAIN, setting.line, text)
