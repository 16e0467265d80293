"""rowlinks - "entry:12", as reports and change records name a row, as a link to its page.

SUMMARY      row_link("entry:12") says "entry 12"; row_links(rows) looks up what people call them
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from django.apps import apps
from django.urls import reverse
from django.utils.text import Truncator
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
NAME_LENGTH = 60


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


def row_links(rows: Iterable[str]) -> dict[str, RowLink]:
    """The links of several rows, with their names; one that is gone has its number instead."""
    links = {row: row_link(row) for row in rows}
    keys: dict[str, list[int]] = defaultdict(list)
    for row, link in links.items():
        if link.url:
            model, _colon, key = row.partition(":")
            keys[model].append(int(key))
    for model, numbers in keys.items():
        found = apps.get_model("panel", PAGES[model])._base_manager.in_bulk(numbers)
        for key, named in found.items():
            text = f"{noun(model)} {Truncator(str(named)).chars(NAME_LENGTH)}"
            links[f"{model}:{key}"] = replace(links[f"{model}:{key}"], text=text)
    return links


def noun(model: str) -> str:
    """What people call the rows that change records call so."""
    names = {"domainalias": _("domain alias"), "restrictionlist": _("restriction list")}
    return names.get(model, model)
