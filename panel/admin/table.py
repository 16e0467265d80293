"""table - pages of all tables and their entries, and of the access tables.

RULES        entries are a list of their own: a table may have 100,000. An entry of a kind that has
             a page of its own (aliases ...) is edited there.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    BooleanRadioFilter,
    ChoicesDropdownFilter,
)

from panel.admin.base import RowAdmin
from panel.admin.entries import EntryRows
from panel.admin.paging import CountedList
from panel.admin.unfolded import display
from panel.forms.table import EntryForm
from panel.models import AccessTable, Entry, Table

PAGES = {"aliases": "alias", "virtual": "virtualentry", "transport": "transport"}
PAGES["access"] = "accessrule"


class TableRows(RowAdmin):
    """Tables, with the number of their entries."""

    search_fields = ("name", "description")
    search_help_text = _("Part of a name or a description")
    record_name = "table"
    counted = (Entry, "table")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[CountedList]:
        """With the number of entries of each."""
        return CountedList

    @display(description=_("reference"), ordering="name")
    def reference_name(self, table: Any) -> str:
        """How parameters and restrictions name it."""
        return str(table.reference)

    @display(description=_("entries"))
    def entry_count(self, table: Any) -> str:
        """How many, with a link to them."""
        page = PAGES.get(table.kind, "entry")
        url = reverse(f"admin:panel_{page}_changelist")
        return format_html(
            '<a class="wp-link" href="{}?table__id__exact={}">{}</a>',
            url,
            table.pk,
            table.counted,
        )

    @display(description=_("entries"))
    def entry_links(self, table: Any) -> str:
        """To its entries, and to a new one."""
        if table.pk is None:
            return "–"
        if not hasattr(table, "counted"):
            table.counted = table.entries.count()  # the page asks for this text several times
        page = PAGES.get(table.kind, "entry")
        return format_html(
            '<a class="wp-link" href="{}?table__id__exact={}">{}</a> · '
            '<a class="wp-link" href="{}?table={}">{}</a>',
            reverse(f"admin:panel_{page}_changelist"),
            table.pk,
            _("Show all %d") % table.counted,
            reverse(f"admin:panel_{page}_add"),
            table.pk,
            _("Add one"),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Links to the entries, once there is a table."""
        return ("entry_links",) if obj else ()


@admin.register(Table)
class TableAdmin(TableRows):
    """All lookup tables."""

    list_display = ("reference_name", "kind_name", "entry_count", "description")
    list_filter = (("kind", ChoicesDropdownFilter), ("type", ChoicesDropdownFilter))
    empty_help = _("A table maps keys to values; parameters and restrictions name it.")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """With the entries, once there is a table."""
        return ("name", "kind", "type", "description", *(("entry_links",) if obj else ()))

    @display(description=_("kind"), ordering="kind", label=True)
    def kind_name(self, table: Table) -> str:
        """What it is for."""
        return table.kind.replace("_", " ")


@admin.register(AccessTable)
class AccessTableAdmin(TableRows):
    """Tables of kind access."""

    list_display = ("reference_name", "entry_count", "description")
    list_filter = (("type", ChoicesDropdownFilter),)
    empty_help = _(
        "An access table says who may do what. Add one, give it rules, then name it in a "
        "restriction list, for example check_client_access."
    )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """With the rules, once there is a table."""
        return ("name", "type", "description", *(("entry_links",) if obj else ()))


@admin.register(Entry)
class EntryAdmin(EntryRows):
    """Entries of all tables."""

    form = EntryForm
    list_display = ("key_text", "value_text", "table", "enabled", "comment_text")
    list_filter = (
        ("table", AutocompleteSelectFilter),
        ("table__kind", ChoicesDropdownFilter),
        ("enabled", BooleanRadioFilter),
    )
    fields = ("table", "key", "value", "position", "enabled", "comment")
    empty_help = _("An entry is one key with its value, in one of the tables.")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A secret value is not shown to those who may only look, either."""
        if obj is None or not obj.table.is_secret or self.has_change_permission(request, obj):
            return self.fields
        return tuple("value_text" if name == "value" else name for name in self.fields)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Entry], search_term: str
    ) -> tuple[QuerySet[Entry], bool]:
        """A search does not find out what is secret."""
        found: Any
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        return found.found_openly(search_term.split()) if search_term else found, may_repeat

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The page of its kind, where there is one that this user may see."""
        entry = self.get_object(request, object_id)
        page = PAGES.get(entry.table.kind) if entry is not None else None
        if page and request.method == "GET" and request.user.has_perm(f"panel.view_{page}"):
            return HttpResponseRedirect(reverse(f"admin:panel_{page}_change", args=[object_id]))
        return super().change_view(request, object_id, form_url, extra_context)
