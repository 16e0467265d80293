"""entries - what the pages of all entries have in common: lists, and moving to another table."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget

from panel.admin.base import RowAdmin
from panel.admin.bulk import confirmation
from panel.admin.unfolded import display
from panel.models import Entry, Table
from tables import specs

SHOWN = 80  # characters of a key or value in a list
TABLES_OFFERED = 500


class MoveForm(forms.Form):
    """Where to."""

    table = forms.ModelChoiceField(
        label=gettext_lazy("To the table"),
        queryset=Table.objects.none(),
        widget=UnfoldAdminSelectWidget(),
    )


def move_targets(source: Table) -> QuerySet[Table]:
    """Tables in which the source's entries mean the same."""
    if source.is_ordered:
        types = [source.type]
    else:
        types = [name for name, known in specs.TYPES.items() if known.indexed]
    return Table.objects.filter(kind=source.kind, type__in=types).exclude(pk=source.pk)


class EntryRows(RowAdmin):
    """Entries, whatever their table."""

    actions = ("enable", "disable", "move")
    autocomplete_fields = ("table",)
    list_select_related = ("table",)
    search_fields = ("key", "value")
    search_help_text = gettext_lazy("Part of a key or of a value")
    record_name = "entry"
    kind = ""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The entries of the tables of this kind.

        The tables are looked up first, where they are few: then the entries come in order from the
        index, however many there are.
        """
        kind = self.kind
        found = Table.objects.filter(kind=kind).values_list("pk", flat=True)[: TABLES_OFFERED + 1]
        keys = list(found) if kind else []
        if not kind or len(keys) > TABLES_OFFERED:
            rows: QuerySet[Any] = super().get_queryset(request)
            return rows
        entries: QuerySet[Any] = self.model._base_manager.filter(table_id__in=keys)
        entries = entries.select_related("table")
        return entries.order_by(*self.get_ordering(request) or self.model._meta.ordering)

    @display(description=gettext_lazy("key"), ordering="lookup_key")
    def key_text(self, entry: Entry) -> str:
        """The key, shortened."""
        return Truncator(entry.key).chars(SHOWN)

    @display(description=gettext_lazy("value"))
    def value_text(self, entry: Entry) -> str:
        """The value, shortened."""
        return Truncator(entry.shown_value).chars(SHOWN)

    @display(description=gettext_lazy("comment"))
    def comment_text(self, entry: Entry) -> str:
        """The comment, shortened."""
        return Truncator(entry.comment).chars(SHOWN)

    @admin.action(description=gettext_lazy("Move to another table …"), permissions=["change"])
    def move(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Moves entries, of one table, to another one of the same kind."""
        sources = list(
            Table.objects.filter(pk__in=queryset.order_by().values("table").distinct())[:2]
        )
        if len(sources) != 1:
            self.message_user(
                request, _("Choose entries of one table: filter by table first."), messages.WARNING
            )
            return None
        confirmed = request.POST.get("confirmed") == "yes"
        form = MoveForm(request.POST if confirmed else None)
        targets: Any = move_targets(sources[0]).order_by("name")
        form.fields["table"].queryset = targets  # type: ignore[attr-defined]
        if form.is_valid() and self._move(request, queryset, form):
            return None
        return confirmation(
            self,
            request,
            queryset,
            action="move",
            title=_("Move to another table"),
            sentence=_("These will be moved from %s.") % sources[0],
            hindrance=""
            if targets.exists()
            else _("There is no other table of kind %s.") % sources[0].kind,
            form=form,
        )

    def _move(self, request: HttpRequest, queryset: QuerySet[Any], form: MoveForm) -> bool:
        """False, with an error on the form, when the target has some of the keys."""
        target = form.cleaned_data["table"]
        rows = self.plain(queryset)
        there = Entry.objects.filter(table=target, lookup_key=OuterRef("lookup_key"))
        taken = rows.filter(Exists(there)).values_list("key", flat=True)[:5]
        if names := ", ".join(taken):
            form.add_error("table", _("%(table)s has %(keys)s already.") % {
                "table": target, "keys": names[:500]
            })  # fmt: skip
            return False
        count = rows.update(table=target)
        self.message_user(
            request,
            _("%(count)d moved to %(table)s.") % {"count": count, "table": target},
            messages.SUCCESS,
        )
        return True
