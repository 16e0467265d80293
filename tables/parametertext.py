"""parametertext - the values of parameters: text to number, time, list; and checks of one value.

SUMMARY      read_boolean, read_integer, read_seconds, check_value
RULES        a time is a number and one of s m h d w; the parameter says what no letter means
ERRORS       EntryError, its text a sentence for the administrator
SOURCE       postconf(5); Postfix conv_time(3), mail_conf_bool(3)
"""

from __future__ import annotations

import re
from collections.abc import Collection

from tables import domains, expansion, restrictions, specs
from tables.errors import AddressSyntaxError, EntryError
from tables.itemtext import split_items
from tables.registry.base import Parameter, ParameterType

_TIME = re.compile(r"([0-9]{1,15})([smhdw]?)")
_NUMBER = re.compile(r"-?[0-9]{1,18}")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def read_boolean(text: str) -> bool:
    """yes or no, in any case."""
    match text.strip().lower():
        case "yes":
            return True
        case "no":
            return False
    raise EntryError(f'Write "yes" or "no", not {text!r}.')


def read_integer(text: str) -> int:
    """A whole number."""
    if not _NUMBER.fullmatch(text.strip()):
        raise EntryError(f"Write a whole number, not {text!r}.")
    return int(text)


def read_seconds(text: str, unit: str) -> float:
    """Seconds of a time such as 30s, 5m, 12h, 5d, 1w; `unit` is what a bare number means."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise EntryError(
            f"Write a time like 30s, 5m, 12h, 5d or 1w, not {text!r}; a number alone counts "
            f"{_UNIT_NAMES[unit]}."
        )
    return float(int(match[1]) * _SECONDS[match[2] or unit])


_UNIT_NAMES = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def check_value(parameter: Parameter, text: str, classes: Collection[str] = ()) -> None:
    """Raise EntryError when `text`, with its references expanded, does not fit the parameter.

    `classes` are the names of restriction classes.
    """
    match parameter.type:
        case ParameterType.BOOL:
            read_boolean(text)
        case ParameterType.INTEGER | ParameterType.SIZE:
            _check_range(parameter, read_integer(text))
        case ParameterType.TIME:
            _check_range(parameter, int(read_seconds(text, parameter.unit)))
        case ParameterType.CHOICE:
            if text.strip() not in parameter.choices:
                raise EntryError(_one_of(parameter.choices, text))
        case ParameterType.LIST:
            _check_list(parameter, text)
        case ParameterType.TABLES:
            for item in split_items(text):
                specs.parse_reference(item)
        case ParameterType.RESTRICTIONS:
            restrictions.parse_restrictions(text, classes, stage=parameter.stage)
        case ParameterType.TEXT:
            if "\n" in text or "\x00" in text:
                raise EntryError("A value is one line of text.")
            if parameter.name == "compatibility_level":
                expansion.read_level(text)


def _check_range(parameter: Parameter, number: int) -> None:
    unit = "seconds" if parameter.type is ParameterType.TIME else parameter.unit
    if number < parameter.minimum:
        raise EntryError(f"The least possible value is {parameter.minimum} {unit}".rstrip() + ".")
    if parameter.maximum is not None and number > parameter.maximum:
        raise EntryError(f"The largest possible value is {parameter.maximum} {unit}".rstrip() + ".")


def _check_list(parameter: Parameter, text: str) -> None:
    items = split_items(text)
    if parameter.choices:
        for item in items:
            if item.lower() not in parameter.choices:
                raise EntryError(_one_of(parameter.choices, item))
    if parameter.name in NETWORK_LISTS:
        for item in items:
            check_network_item(item)


NETWORK_LISTS = frozenset({"mynetworks", "permit_mx_backup_networks"})


def check_network_item(item: str) -> None:
    """A network, host name pattern, table or file of a list such as mynetworks; or EntryError."""
    body = item.lstrip("!")
    if body.startswith("/"):
        return
    if specs.is_reference(body):
        specs.parse_reference(body)
        return
    try:
        if body[:1] == "[" or body.replace(".", "").replace("/", "").isdigit() or ":" in body:
            domains.parse_network(item)
        elif body.lstrip("."):
            domains.parse_domain(body.lstrip("."), literal_underscore=True)
    except AddressSyntaxError as error:
        raise EntryError(str(error)) from error


def _one_of(choices: tuple[str, ...], text: str) -> str:
    words = ", ".join(choice or '""' for choice in choices)
    return f"Write one of {words}, not {text!r}."
