"""views - pages of aliases, virtual entries, transports and access rules."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, BooleanRadioFilter

from panel.admin.entries import SHOWN, EntryRows
from panel.admin.unfolded import display
from panel.forms.views import AccessRuleForm, AliasForm, TransportForm, VirtualEntryForm
from panel.models import AccessRule, Alias, Table, Transport, VirtualEntry

FILTERS = (("table", AutocompleteSelectFilter), ("enabled", BooleanRadioFilter))


class WellKnownRows(EntryRows):
    """Entries with a well-known table: the choice of table is asked only where there is one."""

    list_filter = FILTERS

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any):  # type: ignore[no-untyped-def]
        """Without a table: the well-known one."""
        form = super().get_form(request, obj, change=change, **kwargs)
        if "table" in form.base_fields:
            field: Any = form.base_fields["table"]
            field.required = False
            field.help_text = _("Empty: the table %s.") % self.kind
            field.queryset = Table.objects.filter(kind=self.kind)
        return form


@admin.register(Alias)
class AliasAdmin(WellKnownRows):
    """aliases(5)"""

    kind = Alias.kind

    form = AliasForm
    list_display = ("name_text", "destinations_text", "table", "enabled", "comment_text")
    search_help_text = _("Part of a name or of a destination")
    fieldsets = (
        (None, {"fields": ("key", "value", "enabled", "comment")}),
        (_("Table"), {"fields": ("table",), "classes": ("collapse",)}),
    )
    empty_help = _(
        "An alias gives a local name, such as postmaster, to one or more people. It counts in "
        "domains of kind local."
    )

    @display(description=_("name"), ordering="lookup_key")
    def name_text(self, alias: Alias) -> str:
        """The name, shortened."""
        return Truncator(alias.key).chars(SHOWN)

    @display(description=_("destinations"))
    def destinations_text(self, alias: Alias) -> str:
        """The destinations, shortened."""
        return Truncator(alias.value).chars(SHOWN)


@admin.register(VirtualEntry)
class VirtualEntryAdmin(WellKnownRows):
    """virtual(5)"""

    kind = VirtualEntry.kind

    form = VirtualEntryForm
    list_display = ("pattern_text", "destinations_text", "table", "enabled", "comment_text")
    search_help_text = _("Part of an address")
    fieldsets = (
        (None, {"fields": ("key", "value", "enabled", "comment")}),
        (_("Table"), {"fields": ("table",), "classes": ("collapse",)}),
    )
    empty_help = _(
        "A virtual entry leads the mail of one address, or of all addresses of a domain, to other "
        "addresses."
    )

    @display(description=_("pattern"), ordering="lookup_key")
    def pattern_text(self, entry: VirtualEntry) -> str:
        """The pattern, shortened."""
        return Truncator(entry.key).chars(SHOWN)

    @display(description=_("destinations"))
    def destinations_text(self, entry: VirtualEntry) -> str:
        """The destinations, shortened."""
        return Truncator(entry.value).chars(SHOWN)


@admin.register(Transport)
class TransportAdmin(WellKnownRows):
    """transport(5)"""

    kind = Transport.kind

    form = TransportForm
    list_display = ("pattern_text", "transport_name", "nexthop_text", "table", "enabled")
    search_help_text = _("Part of a pattern, a transport or a next hop")
    fieldsets = (
        (None, {"fields": ("key", "transport", "nexthop", "enabled", "comment")}),
        (_("Table"), {"fields": ("table",), "classes": ("collapse",)}),
    )
    change_form_outer_after_template = "panel/transports.html"
    empty_help = _(
        "A transport entry sends the mail of an address or a domain another way than usual: to a "
        "fixed host, or by another service."
    )

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        """With the names of the transports, to choose from."""
        extra = {**(extra_context or {}), "transports": TransportForm.transports()}
        return super().changeform_view(request, object_id, form_url, extra)

    @display(description=_("pattern"), ordering="lookup_key")
    def pattern_text(self, entry: Transport) -> str:
        """The pattern, shortened."""
        return Truncator(entry.key).chars(SHOWN)

    @display(description=_("transport"))
    def transport_name(self, entry: Transport) -> str:
        """The service."""
        return entry.transport or "–"

    @display(description=_("next hop"))
    def nexthop_text(self, entry: Transport) -> str:
        """The next hop, shortened."""
        return Truncator(entry.nexthop).chars(SHOWN) or "–"


@admin.register(AccessRule)
class AccessRuleAdmin(EntryRows):
    """access(5)"""

    kind = "access"

    form = AccessRuleForm
    list_display = ("pattern_text", "action_text", "table", "position", "enabled", "comment_text")
    list_filter = FILTERS
    search_help_text = _("Part of a pattern or of an action")
    fields = ("table", "key", "value", "position", "enabled", "comment")
    empty_help = _(
        "A rule says what is done about one client, name or address. Add its table first."
    )

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any):  # type: ignore[no-untyped-def]
        """Access tables only."""
        form = super().get_form(request, obj, change=change, **kwargs)
        if "table" in form.base_fields:
            field: Any = form.base_fields["table"]
            field.queryset = Table.objects.filter(kind="access")
        return form

    @display(description=_("pattern"), ordering="lookup_key")
    def pattern_text(self, rule: AccessRule) -> str:
        """The pattern, shortened."""
        return Truncator(rule.key).chars(SHOWN)

    @display(description=_("action"))
    def action_text(self, rule: AccessRule) -> str:
        """The action, shortened."""
        return Truncator(rule.value).chars(SHOWN)
