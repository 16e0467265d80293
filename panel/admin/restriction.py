"""restriction - pages of the restriction lists, with their members in order."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import BooleanRadioFilter

from panel.admin.base import RowAdmin
from panel.admin.unfolded import TabularInline, display
from panel.forms.restriction import (
    RestrictionForm,
    RestrictionFormSet,
    RestrictionListForm,
    restriction_helps,
)
from panel.models import Restriction, RestrictionList
from panel.validators import RESTRICTION_LISTS

SHOWN = 120  # characters of a list in the list of lists


class RestrictionInline(TabularInline):
    """The members, to be dragged into order."""

    model = Restriction
    form = RestrictionForm
    formset: Any = RestrictionFormSet
    fields = ("position", "name", "table", "argument", "warn_if_reject")
    autocomplete_fields = ("table",)
    ordering_field = "position"
    hide_title = True
    extra = 0
    max_num = 500
    verbose_name = _("member")
    verbose_name_plural = _("members, in the order in which they are asked")

    # Members are part of the list: who may change the list may change them.
    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As for the list."""
        return bool(request.user.has_perm("panel.view_restrictionlist")) or self._may(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As for the list."""
        return self._may(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As for the list."""
        return self._may(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As for the list."""
        return self._may(request)

    def _may(self, request: HttpRequest) -> bool:
        return any(
            request.user.has_perm(f"panel.{what}_restrictionlist") for what in ("add", "change")
        )


@admin.register(RestrictionList)
class RestrictionListAdmin(RowAdmin):
    """smtpd_..._restrictions and restriction classes."""

    form = RestrictionListForm
    list_display = ("name", "is_class", "members_text", "description")
    list_filter = (("is_class", BooleanRadioFilter),)
    search_fields = ("name", "description")
    search_help_text = _("Part of a name or a description")
    fields = ("name", "is_class", "description")
    inlines = (RestrictionInline,)
    change_form_outer_after_template = "panel/restrictions.html"
    empty_help = _(
        "A restriction list decides about clients, senders and recipients, one member after the "
        "other. Without a list Postfix's default holds."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[RestrictionList]:
        """With the members."""
        rows: QuerySet[RestrictionList] = super().get_queryset(request)
        return rows.prefetch_related("members__table")

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        """With what each restriction does."""
        extra = {
            **(extra_context or {}),
            "restriction_helps": restriction_helps(),
            "restriction_lists": sorted(RESTRICTION_LISTS),
        }
        return super().changeform_view(request, object_id, form_url, extra)

    @display(description=_("members"))
    def members_text(self, row: RestrictionList) -> str:
        """The list as it stands in main.cf, shortened."""
        return Truncator(", ".join(member.text for member in row.members.all())).chars(SHOWN)
