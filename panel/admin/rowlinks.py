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
    names = {
        "domainalias": _("domain alias"),
        "entry": _("entry"),
        "restrictionlist": _("restriction list"),
    }
    url = reverse(f"admin:panel_{PAGES[model]}_change", args=[key])
    return RowLink(f"{names.get(model, model)} {key}", url)
