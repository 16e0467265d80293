"""rowlinks - "entry:12", as reports and change records name a row, as a link to its page."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _

PAGES = {
    "domain": "domain",
    "domainalias": "domainalias",
    "mailbox": "mailbox",
    "table": "table",
    "entry": "entry",
    "parameter": "parameter",
    "service": "service",
    "restrictionlist": "restrictionlist",
}
KEY_DIGITS = 18


@dataclass(frozen=True, slots=True)
class RowLink:
    """`url` is '' when the row has no page."""

    text: str
    url: str


def row_link(row: str) -> RowLink:
    """The link of "model:pk"; one without url for anything else."""
    model, _colon, key = row.partition(":")
    if model not in PAGES or not (key.isascii() and key.isdigit() and len(key) <= KEY_DIGITS):
        return RowLink(row, "")
    url = reverse(f"admin:panel_{PAGES[model]}_change", args=[key])
    return RowLink(f"{noun(model)} {key}", url)


def noun(model: str) -> str:
    """What people call the rows that change records call so."""
    names = {"domainalias": _("domain alias"), "restrictionlist": _("restriction list")}
    return names.get(model, model)
