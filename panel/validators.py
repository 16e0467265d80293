"""validators - the parsers of tables/ with Django's ValidationError; no patterns of its own.

SUMMARY      as_domain, as_address, as_key return the folded value; check_... only refuse;
             as_restriction returns the member as it is to be stored
ERRORS       ValidationError on the field named, its text that of the parser
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import takewhile
from typing import TypeVar

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from tables import parameters, restrictions, specs
from tables.addresses import Address, fold, parse_mailbox
from tables.domains import parse_domain
from tables.errors import TableError
from tables.registry.base import ParameterType
from tables.writing.entries import READERS

T = TypeVar("T")

SOME_BLOCK = {"regexp": "if /./\n", "pcre": "if /./\n", "cidr": "if 0.0.0.0/0\n"}

RESTRICTION_LISTS = frozenset(
    name
    for name, parameter in parameters.REGISTRY.items()
    if parameter.type is ParameterType.RESTRICTIONS
)


def parsed(parse: Callable[[str], T], text: str, *, field: str) -> T:
    """What the parser makes of the text; its refusal becomes a message on the field."""
    try:
        return parse(text)
    except TableError as error:
        raise ValidationError({field: str(error)}) from error


def as_domain(text: str, *, field: str) -> str:
    """The domain name as A-labels, lower case."""
    return parsed(parse_domain, text.strip(), field=field)


def as_address(text: str, *, field: str) -> Address:
    """The address, folded, with a domain."""
    return fold(parsed(parse_mailbox, text.strip(), field=field))


def as_key(kind: str, text: str) -> str:
    """The key of an entry in an indexed table, as it is stored and looked up."""
    return parsed(specs.KINDS[kind].parse_key, text, field="key")


def check_value(kind: str, text: str) -> None:
    """The value of an entry of a table of this kind."""
    parsed(specs.KINDS[kind].parse_value, text, field="value")


def check_rule(type_: str, key: str, value: str, *, is_secret: bool = False) -> None:
    """A pattern or network with its value, read as a line of the table's source text."""
    word = "".join(takewhile(str.isalnum, key)).lower()
    if not value and word not in ("if", "endif"):
        raise ValidationError({"value": _("The value is empty.")})
    if "\n" in key or "\n" in value:
        raise ValidationError(_("An entry is one line of text."))
    if key.startswith("#"):
        raise ValidationError({"key": _("A line that begins with # is a comment.")})
    opening = SOME_BLOCK[type_] if word == "endif" else ""
    closing = "endif\n" if word == "if" else ""
    problems = READERS[type_](f"{opening}{key} {value}\n{closing}").problems
    if problems:
        said = problems[0].message.removesuffix(": skipping this rule")
        said = specs.HIDDEN if is_secret else f"{said[:1].upper()}{said[1:]}."
        raise ValidationError({"key": said})


def check_parameter(name: str, text: str, *, own_names: Collection[str]) -> None:
    """A parameter's name and value; `own_names` are those of restriction classes."""
    try:
        parameters.check(name, text, own_names=own_names)
    except TableError as error:
        field = "value" if parameters.find(name) or name in own_names else "name"
        raise ValidationError({field: str(error)}) from error


def check_restriction_list(name: str, *, is_class: bool) -> None:
    """A list is named as its parameter; a class has a name that means nothing else."""
    if not is_class and name not in RESTRICTION_LISTS:
        known = ", ".join(sorted(RESTRICTION_LISTS))
        raise ValidationError({"name": _("A list is one of %s; or make it a class.") % known})
    taken = name in restrictions.RESTRICTIONS or name in restrictions.SYNONYMS
    if is_class and (taken or parameters.find(name) is not None):
        raise ValidationError(
            {"name": _("%s has a meaning in Postfix already: choose another name.") % name}
        )


def as_restriction(
    name: str, argument: str, *, classes: Collection[str]
) -> restrictions.RestrictionCall:
    """The one member that name and argument make; old names come back as the new ones."""
    text = f"{name} {argument}".strip()
    calls = parsed(lambda t: restrictions.parse_restrictions(t, classes), text, field="name")
    if len(calls) != 1 or not calls[0].name:
        raise ValidationError({"argument": _("%r is more than one restriction.") % text})
    return calls[0]
