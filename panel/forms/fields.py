"""fields - form fields for what people write differently than a row holds it.

SUMMARY      LinesField  one item a line; the row holds them with commas
             QuotaField  500 MB; the row holds bytes
             PairsField  name=value, one a line; the row holds a dict
"""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget


class LinesField(forms.CharField):
    """Items of a list, one a line, as one text with commas between them."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", UnfoldAdminTextareaWidget({"rows": 4, "spellcheck": "false"}))
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        """A list of items as lines."""
        return "\n".join(value) if isinstance(value, list | tuple) else value

    def to_python(self, value: Any) -> str:
        """The lines joined by commas; a comma at the end of a line is not an empty item."""
        lines = str(super().to_python(value)).splitlines()
        return ", ".join(item for line in lines if (item := line.strip().rstrip(",").rstrip()))

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compares lists, not spellings."""
        before = self.to_python(self.prepare_value(initial))
        return before != self.to_python(data)


QUOTA_UNITS = {"": 1, "B": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
QUOTA = re.compile(r"(\d{1,15})(?:[.,](\d{1,6}))?\s*([BKMGT]?)(?:I?B|BYTES?)?", re.IGNORECASE)
QUOTA_LIMIT = 2**60  # bytes; fits the column


class QuotaField(forms.CharField):
    """A size with its unit, in bytes; KB, MB, GB and TB are powers of 1024."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", UnfoldAdminTextInputWidget({"placeholder": "500 MB"}))
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        """Bytes in the largest unit that says them exactly."""
        return quota_text(value) if isinstance(value, int) else value

    def to_python(self, value: Any) -> int | None:  # type: ignore[override]
        """Bytes; None when nothing is written."""
        text = str(super().to_python(value)).strip()
        if not text:
            return None
        match = QUOTA.fullmatch(text[:100])
        if match is None:
            raise ValidationError(_("Write a number and a unit, for example 500 MB or 2 GB."))
        number = float(f"{match[1]}.{match[2] or 0}") if match[2] else int(match[1])
        size = int(number * QUOTA_UNITS[match[3].upper()])
        if size < 1:
            raise ValidationError(_("A quota is at least one byte; leave it empty for no limit."))
        if size > QUOTA_LIMIT:
            raise ValidationError(_("This is more than any disk holds; leave it empty instead."))
        return size

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compares sizes, not spellings."""
        try:
            return bool(initial != self.to_python(data))
        except ValidationError:
            return True


def quota_text(size: int | None) -> str:
    """500 MB; '' for no limit."""
    if size is None:
        return ""
    for unit in "TGMK":
        if size % QUOTA_UNITS[unit] == 0:
            return f"{size // QUOTA_UNITS[unit]} {unit}B"
    return str(size)


PAIRS_LIMIT = 100_000  # characters


class PairsField(forms.CharField):
    """name=value, one a line, as a dict; -o before a line is what master.cf writes, and taken."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", UnfoldAdminTextareaWidget({"rows": 4, "spellcheck": "false"}))
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        """A dict as lines."""
        if isinstance(value, dict):
            return "\n".join(f"{name}={text}" for name, text in value.items())
        return value

    def to_python(self, value: Any) -> dict[str, str]:  # type: ignore[override]
        """The lines as a dict."""
        pairs: dict[str, str] = {}
        written = str(super().to_python(value))
        if len(written) > PAIRS_LIMIT:
            raise ValidationError(_("This is too long."))
        for line in written.splitlines():
            pair = line.strip().removeprefix("-o ").strip()
            if not pair:
                continue
            name, equals, text = pair.partition("=")
            name = name.strip()
            if not equals or not name:
                raise ValidationError(_("Write name=value in each line, not %r.") % line.strip())
            if name in pairs:
                raise ValidationError(_("%s is given twice.") % name)
            pairs[name] = text.strip()
        return pairs

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compares dicts, not spellings."""
        try:
            return bool((initial or {}) != self.to_python(data))
        except ValidationError:
            return True
