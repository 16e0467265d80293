"""settings - main.cf and master.cf as they are going to stand in rows.

SUMMARY      read_settings(tree, report, old_defaults=...) -> Settings: parameters and services with
             today's names, defaults of Postfix put in where Waypost has others
             names_used(settings): what values refer to, and restriction classes
             check_settings(...): a remark for each line, once all references are rewritten
RULES        a parameter that Waypost does not know and that nothing refers to is left out; one that
             something refers to is the administrator's own and stays
             a value that cannot be is kept: a publish refuses it, as Postfix would
SOURCE       main.cf(5), master.cf(5), postconf(5)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from panel.constants import PARAMETER_NAME_LENGTH
from panel.services.importer.history import (
    KEPT_NAMES,
    OLD_DEFAULTS,
    OWN_DEFAULTS,
    POSTFIX_DEFAULTS,
    is_of_2000,
    modernized,
)
from panel.services.importer.report import ImportReport, Level
from panel.services.importer.tree import Tree, source_lines
from tables import expansion
from tables.errors import EntryError, ParameterError
from tables.itemtext import split_items
from tables.mainfile import Setting, parse_main
from tables.masterfile import parse_master
from tables.parameters import OLD_NAMES, REGISTRY, ParameterType, check, find
from tables.services import Service

MAIN, MASTER = "main.cf", "master.cf"
_CLASS_NAME = re.compile(rf"[A-Za-z0-9_.-]{{1,{PARAMETER_NAME_LENGTH}}}")
CLASSES = "smtpd_restriction_classes"

# daemons of Postfix whose work the engine does in its own way, so that their lines say nothing
_INSIDE = frozenset(
    {
        *("anvil", "bounce", "flush", "nqmgr", "oqmgr", "postlogd", "proxymap", "qmgr", "scache"),
        *("showq", "tlsmgr", "trivial-rewrite", "verify"),
    }
)
# what the engine runs, or does by the settings of the line
_RUN = frozenset(
    {
        *("smtpd", "pickup", "cleanup"),
        *("smtp", "lmtp", "local", "virtual", "pipe", "error", "discard"),
    }
)


@dataclass(slots=True)
class PlannedService:
    """One service, and the line of master.cf where it stands."""

    line: int
    service: Service


@dataclass(slots=True)
class Settings:
    """All parameters by name and all services."""

    parameters: dict[str, Setting]
    services: list[PlannedService] = field(default_factory=list)
    old_names: dict[str, str] = field(default_factory=dict)  # of today's name
    classes: tuple[str, ...] = ()  # the names of restriction classes

    def source(self, name: str) -> str | None:
        """The raw value of a parameter, or its default."""
        if (setting := self.parameters.get(name)) is not None:
            return setting.value
        known = find(name)
        return None if known is None else known.default

    def texts(self) -> dict[str, str]:
        """Name -> value."""
        return {name: setting.value for name, setting in self.parameters.items()}

    def rewrite(self, change: Callable[[str, str, str, int], str]) -> None:
        """Replace each value by change(file, name, value, line)."""
        for name, setting in self.parameters.items():
            value = change(MAIN, name, setting.value, setting.line)
            self.parameters[name] = replace(setting, value=value)
        for planned in self.services:
            overrides = {
                name: change(MASTER, name, value, planned.line)
                for name, value in planned.service.overrides.items()
            }
            planned.service = replace(planned.service, overrides=overrides)


def read_settings(tree: Tree, report: ImportReport, *, old_defaults: bool | None) -> Settings:
    """What the two files say. `old_defaults`: None looks at the words that are used."""
    found = parse_main(tree.text(MAIN) or "")
    for problem in found.problems:
        report.add(Level.LEFT_OUT, MAIN, problem.line, problem.message)
    if (place := found.settings.get("config_directory")) is not None:
        tree.config_directory = PurePosixPath(place.value)
    settings, renamed = modernized(found.settings)
    result = Settings(settings, old_names={new: old for old, new in renamed.items()})
    is_old = is_of_2000(found.settings) if old_defaults is None else old_defaults
    if CLASSES in settings:
        _read_classes(result, report)
    if (origin := settings.get("myorigin")) is not None and origin.value.startswith("/"):
        _read_origin(origin, result, tree, report)
    _put_defaults(result, tree, report, is_old=is_old)
    _read_services(tree, report, result)
    return result


def _read_classes(settings: Settings, report: ImportReport) -> None:
    """The names of restriction classes; what cannot be a name is taken out."""
    setting = settings.parameters[CLASSES]
    words = dict.fromkeys(split_items(setting.value))
    settings.classes = tuple(word for word in words if _CLASS_NAME.fullmatch(word))
    for word in words:
        if word not in settings.classes and "$" not in word:
            text = f"{word} cannot be the name of a restriction class."
            report.add(Level.LEFT_OUT, MAIN, setting.line, text)
    if len(settings.classes) < len(words):
        value = ", ".join(settings.classes)
        settings.parameters[CLASSES] = replace(setting, value=value)


def _read_origin(origin: Setting, settings: Settings, tree: Tree, report: ImportReport) -> None:
    """Debian's Postfix takes /etc/mailname for the first line of that file."""
    path = tree.locate(origin.value)
    name = "" if path is None else next(source_lines(path), "").strip()
    if not name:
        del settings.parameters["myorigin"]
        text = f"myorigin: {origin.value} is not there, or empty: it is $myhostname."
        report.add(Level.LEFT_OUT, MAIN, origin.line, text)
        return
    settings.parameters["myorigin"] = replace(origin, value=name)
    text = f"myorigin: what {origin.value} says, as it is now."
    report.add(Level.APPROXIMATED, MAIN, origin.line, text)


def _put_defaults(settings: Settings, tree: Tree, report: ImportReport, *, is_old: bool) -> None:
    """What holds without being said, where Waypost's own default is another one."""
    if is_old:
        text = "The words are those of the year 2000: what is not set has the defaults of that time"
        report.add(Level.APPROXIMATED, MAIN, 0, f"{text}.")
    defaults = {**POSTFIX_DEFAULTS, **(OLD_DEFAULTS if is_old else {})}
    for name, value in defaults.items():
        if name in settings.parameters:
            continue
        if name == "alias_maps" and tree.locate(value.partition(":")[2]) is None:
            text = "alias_maps is not set, and its default, /etc/aliases, does not belong to the"
            report.add(Level.LEFT_OUT, MAIN, 0, f"{text} directory: there are no aliases.")
            continue
        settings.parameters[name] = Setting(0, name, value)
        text = (
            f"{name} is not set: it has the default that Postfix gives it, {value or 'nothing'!r}"
        )
        if name == "compatibility_level" and not is_old:
            text += "; was it written about the year 2000, import it with --since-2000"
        report.add(Level.UNDERSTOOD, MAIN, 0, f"{text}.")
    for name, value in OWN_DEFAULTS.items():
        if name not in settings.parameters:
            settings.parameters[name] = Setting(0, name, value)
            text = f"{name} is not set: it is {value} here, because {REGISTRY[name].why}"
            report.add(Level.APPROXIMATED, MAIN, 0, f"{text}.")


def _read_services(tree: Tree, report: ImportReport, settings: Settings) -> None:
    text = tree.text(MASTER)
    if text is None:
        report.add(Level.APPROXIMATED, MASTER, 0, "There is none: the usual services run.")
        return
    found = parse_master(text)
    for problem in found.problems:
        report.add(Level.LEFT_OUT, MASTER, problem.line, problem.message)
    for entry in found.entries:
        service = entry.service
        overrides, renamed = modernized(
            {name: Setting(entry.line, name, text) for name, text in service.overrides.items()}
        )
        for old, new in renamed.items():
            report.add(Level.APPROXIMATED, MASTER, entry.line, f"{old} is called {new} now.")
        texts = {name: setting.value for name, setting in overrides.items()}
        settings.services.append(PlannedService(entry.line, replace(service, overrides=texts)))


def check_settings(settings: Settings, listed: Mapping[str, object], report: ImportReport) -> None:
    """One remark for each line; unknown names go. `listed`: what became restriction lists."""
    used = names_used(settings)
    for name, setting in list(settings.parameters.items()):
        if setting.line == 0 or name == CLASSES:
            continue
        if name not in listed and find(name) is None and name not in used:
            del settings.parameters[name]
            report.add(Level.LEFT_OUT, MAIN, setting.line, _unknown(name))
            continue
        problem = "" if name in listed else _problem(name, setting.value, settings)
        if problem:
            report.add(Level.WRONG, MAIN, setting.line, f"{name}: {problem}")
        elif (old := settings.old_names.get(name)) is not None:
            text = f"{old} is called {name} now: {setting.value or 'nothing'}"
            report.add(Level.APPROXIMATED, MAIN, setting.line, text)
        elif idle := _idle(name, setting.value):
            report.add(Level.APPROXIMATED, MAIN, setting.line, f"{name} = {setting.value}: {idle}")
        else:
            report.add(Level.UNDERSTOOD, MAIN, setting.line, f"{name} = {setting.value}".rstrip())
    for planned in settings.services:
        _check_service(planned, used, settings, report)


def _check_service(
    planned: PlannedService, used: frozenset[str], settings: Settings, report: ImportReport
) -> None:
    service = planned.service
    label = f"{service.name} {service.type}"
    kept = dict(service.overrides)
    for name, value in service.overrides.items():
        if find(name) is None and name not in used:
            del kept[name]
            report.add(Level.LEFT_OUT, MASTER, planned.line, f"{label}: -o {_unknown(name)}")
        elif problem := _problem(name, value, settings):
            report.add(Level.WRONG, MASTER, planned.line, f"{label}: -o {name}: {problem}")
        elif idle := _idle(name, value):
            text = f"{label}: -o {name}={value}: {idle}"
            report.add(Level.APPROXIMATED, MASTER, planned.line, text)
    planned.service = replace(service, overrides=kept)
    if service.daemon in _INSIDE:
        text = (
            f"{label}: the engine does the work of {service.daemon} itself; the line has no effect"
        )
        report.add(Level.APPROXIMATED, MASTER, planned.line, f"{text}.")
    elif service.daemon not in _RUN:
        text = f"{label}: Waypost has no {service.daemon}; the line has no effect"
        report.add(Level.APPROXIMATED, MASTER, planned.line, f"{text}.")
    else:
        report.add(Level.UNDERSTOOD, MASTER, planned.line, f"{label}: {service.daemon}.")


def names_used(settings: Settings) -> frozenset[str]:
    """What other values refer to, and restriction classes."""
    used = set(settings.classes)
    texts = [setting.value for setting in settings.parameters.values()]
    for planned in settings.services:
        texts += planned.service.overrides.values()
        texts.append(planned.service.command)
    for text in texts:
        if "$" in text:
            try:
                used |= expansion.names(text)
            except EntryError:
                continue  # the check of that value says so
    return frozenset(used)


def _problem(name: str, value: str, settings: Settings) -> str:
    """What is wrong with a value; '' when nothing is."""
    own_names = {each for each in settings.parameters if find(each) is None}
    try:
        check(name, value, own_names={*own_names, *settings.classes}, others=settings.texts())
    except ParameterError as error:
        return str(error)
    return ""


def _idle(name: str, value: str) -> str:
    """Why a parameter that asks for something else than usual does not get it; '' when it does."""
    known = find(name)
    return "" if known is None or value == known.default else known.idle


def _unknown(name: str) -> str:
    try:
        check(name, "")
    except ParameterError as error:
        if error.name == name and name not in REGISTRY and name not in OLD_NAMES:
            return f"{name} has no effect. {error}"
    if name in OLD_NAMES and name not in KEPT_NAMES:
        return f"{name} does not count beside {OLD_NAMES[name]}, its name of today."
    return f"{name} has no effect."


def kind_of_place(name: str, classes: tuple[str, ...]) -> str | None:
    """How references in a parameter are read: 'access', 'list', 'tables'; None: as plain text."""
    if name in classes:
        return "access"
    known = find(name)
    if known is None:
        return "tables"  # the administrator's own
    if known.type is ParameterType.RESTRICTIONS:
        return "access"
    if known.type in (ParameterType.LIST, ParameterType.TABLES) or name in _LISTS_OF_TEXT:
        return "tables"
    return None


_LISTS_OF_TEXT = frozenset({"local_header_rewrite_clients"})

# lists of patterns, of which one may be the name of a file of patterns; postconf(5)
PATTERN_LISTS = frozenset(
    {
        "authorized_flush_users",
        "authorized_mailq_users",
        "authorized_submit_users",
        "debug_peer_list",
        "fast_flush_domains",
        "masquerade_exceptions",
        "mydestination",
        "mynetworks",
        "permit_mx_backup_networks",
        "relay_domains",
        "smtp_connection_cache_destinations",
        "smtpd_authorized_xclient_hosts",
        "smtpd_authorized_xforward_hosts",
        "smtpd_client_event_limit_exceptions",
        "smtpd_forbid_bare_newline_exclusions",
        "smtpd_log_access_permit_actions",
        "smtpd_sasl_exceptions_networks",
        "virtual_alias_domains",
        "virtual_mailbox_domains",
    }
)
