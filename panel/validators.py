"""validators - the parsers of tables/ with Django's ValidationError; no patterns of its own.

SUMMARY      as_domain, as_address, as_network return the folded value; check_* only refuse
ERRORS       ValidationError on the field named, its text that of the parser
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.core.exceptions import ValidationError

from tables.addresses import Address, fold, parse_mailbox
from tables.domains import parse_domain
from tables.errors import TableError

T = TypeVar("T")


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
