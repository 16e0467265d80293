"""fields - what a JSON value must be to be taken: texts are texts, numbers numbers.

RULES        nothing is converted ("5" is no number, 1 is no true), so that a slip of the client is
             an error and not a surprise. Texts are one line: no control characters but the tab.
"""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

# C0, C1 and DEL without the tab; the line and paragraph separators of Unicode
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


class Text(serializers.CharField):
    """One line of text."""

    default_error_messages = {"control": _("Control characters and line ends are not allowed.")}

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("trim_whitespace", False)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        """The text as it came."""
        if not isinstance(data, str):
            self.fail("invalid")
        if CONTROL.search(data):
            self.fail("control")
        return data


class Truth(serializers.BooleanField):
    """true or false."""

    def to_internal_value(self, data: Any) -> bool:
        """The very value."""
        if not isinstance(data, bool):
            self.fail("invalid", input=str(data)[:50])
        return data


class Number(serializers.IntegerField):
    """A whole number."""

    def to_internal_value(self, data: Any) -> int:
        """The number; true is none."""
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)
