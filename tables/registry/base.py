"""base - what is known of one parameter, and short makers for each type.

SUMMARY      Parameter and ParameterType; boolean(), integer(), size(), time(), text(), template(),
             items(), tables(), restrictions(), choice(), flags() for the files of the groups
RULES        a default is text as it would stand in main.cf, references and all
SOURCE       postconf(5); the types are those of Postfix's mail_conf_bool(3), mail_conf_time(3) ...
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class ParameterType(Enum):
    """What the value is; it decides how it is checked, read and shown."""

    BOOL = "bool"  # yes or no
    INTEGER = "integer"
    SIZE = "size"  # an integer of bytes
    TIME = "time"  # 30s, 5m, 12h, 5d, 1w
    TEXT = "text"
    LIST = "list"  # items separated by commas or blanks
    TABLES = "tables"  # items of the form type:name
    RESTRICTIONS = "restrictions"  # a restriction list
    CHOICE = "choice"  # one word of a few


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter. `unit` is what a bare number of a time means, or what a number counts."""

    name: str
    type: ParameterType
    default: str = ""
    help: str
    unit: str = ""
    minimum: int = 0  # of numbers and times
    maximum: int | None = None
    choices: tuple[str, ...] = ()  # of a choice; of a list: the only items it may have
    stage: str = ""  # of restrictions: the list it is, "client", "recipient" ...
    group: str = ""  # heading under which forms show it
    postfix_default: str | None = None  # where ours differs
    why: str = ""  # why it differs
    template: bool = False  # its $names are filled in at each use, not when it is read
    idle: str = ""  # why setting it changes nothing
    machine: bool = False  # the engine puts in what this machine says, where it is not set


def boolean(
    name: str, default: str, help: str, *, postfix: str | None = None, why: str = ""
) -> Parameter:
    """yes or no."""
    return Parameter(
        name=name,
        type=ParameterType.BOOL,
        default=default,
        help=help,
        postfix_default=postfix,
        why=why,
    )


def integer(
    name: str,
    default: str,
    help: str,
    *,
    unit: str = "",
    minimum: int = 0,
    maximum: int | None = None,
) -> Parameter:
    """A number; `unit` says of what."""
    return Parameter(
        name=name,
        type=ParameterType.INTEGER,
        default=default,
        help=help,
        unit=unit,
        minimum=minimum,
        maximum=maximum,
    )


def size(name: str, default: str, help: str, *, minimum: int = 0) -> Parameter:
    """A number of bytes."""
    return Parameter(
        name=name,
        type=ParameterType.SIZE,
        default=default,
        help=help,
        unit="bytes",
        minimum=minimum,
    )


def time(name: str, default: str, help: str, *, unit: str = "s", minimum: int = 0) -> Parameter:
    """A time; `unit` is what a number without a letter means. `minimum` is in seconds."""
    return Parameter(
        name=name, type=ParameterType.TIME, default=default, help=help, unit=unit, minimum=minimum
    )


def text(
    name: str,
    default: str,
    help: str,
    *,
    postfix: str | None = None,
    why: str = "",
    machine: bool = False,
) -> Parameter:
    """Any text."""
    return Parameter(
        name=name,
        type=ParameterType.TEXT,
        default=default,
        help=help,
        postfix_default=postfix,
        why=why,
        machine=machine,
    )


def template(name: str, default: str, help: str) -> Parameter:
    """A text whose $names stand for what is known when it is used, such as $user."""
    return Parameter(name=name, type=ParameterType.TEXT, default=default, help=help, template=True)


def items(name: str, default: str, help: str, *, machine: bool = False) -> Parameter:
    """A list of anything: names, domains, networks, tables, files."""
    return Parameter(
        name=name, type=ParameterType.LIST, default=default, help=help, machine=machine
    )


def flags(name: str, default: str, help: str, choices: tuple[str, ...]) -> Parameter:
    """A list whose items are taken from `choices`."""
    return Parameter(
        name=name, type=ParameterType.LIST, default=default, help=help, choices=choices
    )


def tables(
    name: str, default: str, help: str, *, postfix: str | None = None, why: str = ""
) -> Parameter:
    """A list of tables, asked in order."""
    return Parameter(
        name=name,
        type=ParameterType.TABLES,
        default=default,
        help=help,
        postfix_default=postfix,
        why=why,
    )


def restrictions(name: str, default: str, stage: str, help: str) -> Parameter:
    """A restriction list of one stage of the SMTP dialogue."""
    return Parameter(
        name=name, type=ParameterType.RESTRICTIONS, default=default, help=help, stage=stage
    )


def choice(
    name: str,
    default: str,
    help: str,
    choices: tuple[str, ...],
    *,
    postfix: str | None = None,
    why: str = "",
) -> Parameter:
    """One word of `choices`; a default may be a reference."""
    return Parameter(
        name=name,
        type=ParameterType.CHOICE,
        default=default,
        help=help,
        choices=choices,
        postfix_default=postfix,
        why=why,
    )
