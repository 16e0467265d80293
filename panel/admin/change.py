"""change - who changed what, when, from what to what.

RULES        read-only for everybody. The search takes "entry:12" (a row), a revision, or a user's
             name, whole: all of them have an index, however many changes there are.
"""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from panel.admin.base import ReadOnlyAdmin
from panel.admin.rowlinks import NAME_LENGTH, PAGES, RowLink, noun, row_link
from panel.admin.unfolded import DropdownFilter, display
from panel.models import Change
from panel.services.changes import pending_changes

SHOWN = 100  # characters of the differences in a list
KEY_DIGITS = 18
QUIET = frozenset({"id", "lookup_key"})  # columns that say nothing to people
TELLING = frozenset({"value", "kind", "type", "argument", "command", "full_name", "description"})


class WhatFilter(DropdownFilter):
    """The kind of row."""

    title = gettext_lazy("what")
    parameter_name = "what"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """All kinds of rows that are recorded."""
        return [(name, name) for name in (*PAGES, "restriction")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Change]) -> QuerySet[Change]:
        """The changes of these rows."""
        return queryset.filter(model=self.value()) if self.value() else queryset


class PendingFilter(DropdownFilter):
    """Published or not."""

    title = gettext_lazy("published")
    parameter_name = "pending"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The one question."""
        return [("1", _("not published yet"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Change]) -> QuerySet[Change]:
        """The changes that are in no generation."""
        return queryset & pending_changes() if self.value() == "1" else queryset


@admin.register(Change)
class ChangeAdmin(ReadOnlyAdmin):
    """The change record."""

    list_display = ("at", "actor", "source", "operation_label", "row_name", "summary")
    list_display_links = ("at",)
    list_filter = (
        PendingFilter,
        WhatFilter,
        ("operation", ChoicesDropdownFilter),
        ("source", ChoicesDropdownFilter),
    )
    search_fields = ("actor",)
    search_help_text = gettext_lazy("A row such as entry:12, a revision, or a user's name")
    ordering = ("-id",)
    sortable_by = ()
    change_form_template = "panel/change.html"
    empty_help = gettext_lazy("Every change to a row appears here, whoever made it.")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Change], search_term: str
    ) -> tuple[QuerySet[Change], bool]:
        """By row, revision or user."""
        words = search_term.strip()
        if not words:
            return queryset, False
        model, colon, key = words.partition(":")
        number = key if colon else words
        if number.isascii() and number.isdigit() and len(number) <= KEY_DIGITS:
            if colon:
                return queryset.filter(model=model, row=int(number)), False
            return queryset.filter(revision=int(number)), False
        return queryset.filter(actor=words), False

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        """Before and after, side by side."""
        extra = dict(extra_context or {})
        change = self.get_object(request, object_id or "")
        if change is not None:
            extra |= {
                "change_record": change,
                "row": link_of(change),
                "differences": [
                    (name, shown(before), shown(after))
                    for name, (before, after) in change.differences.items()
                ],
            }
        return super().changeform_view(request, object_id, form_url, extra)

    @display(
        description=gettext_lazy("operation"),
        label={"insert": "success", "update": "info", "delete": "danger"},
    )
    def operation_label(self, change: Change) -> tuple[str, str]:
        """Added, changed or removed."""
        return change.operation, str(change.get_operation_display())

    @display(description=gettext_lazy("row"))
    def row_name(self, change: Change) -> str:
        """The row by what people call it."""
        name = label_of(change)
        return f"{noun(change.model)} {Truncator(name).chars(NAME_LENGTH)}"

    @display(description=gettext_lazy("change"))
    def summary(self, change: Change) -> str:
        """What differs, shortened."""
        told = {n: pair for n, pair in change.differences.items() if n not in QUIET}
        parts = [
            f"{name}: {shown(before)} → {shown(after)}" for name, (before, after) in told.items()
        ]
        if change.operation != "update":
            parts = [
                f"{name}: {shown(said)}"
                for name, pair in told.items()
                if name in TELLING and (said := pair[change.operation == "insert"])
            ]
        return Truncator("; ".join(parts)).chars(SHOWN)


def label_of(change: Change) -> str:
    """Name, address or key of the row, as it was last."""
    row = change.after or change.before or {}
    for column in ("address", "name", "key"):
        if text := row.get(column):
            return str(text)
    return str(change.row)


def link_of(change: Change) -> RowLink:
    """To the row, where it still is; a member of a list is found on its list."""
    if change.operation == "delete":
        return RowLink(f"{noun(change.model)} {label_of(change)}", "")
    model, key = change.model, change.row
    if model == "restriction":
        model, key = "restrictionlist", (change.after or {}).get("list_id", 0)
    return RowLink(f"{noun(change.model)} {label_of(change)}", row_link(f"{model}:{key}").url)


def shown(value: object) -> str:
    """A column's value as text."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
