"""parameter - pages of the settings of main.cf."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from panel.admin.base import RowAdmin
from panel.admin.unfolded import DropdownFilter, display
from panel.forms.parameter import ParameterForm, described
from panel.models import Parameter
from tables import parameters

SHOWN = 80  # characters of a value in a list


class GroupFilter(DropdownFilter):
    """The heading of the registry under which a parameter stands."""

    title = _("group")
    parameter_name = "group"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """All headings."""
        return [(str(number), title) for number, title in enumerate(parameters.GROUPS)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Parameter]) -> QuerySet[Parameter]:
        """The parameters under the chosen heading."""
        chosen = dict(self.lookup_choices).get(self.value() or "")
        if chosen is None:
            return queryset
        known = parameters.REGISTRY.values()
        return queryset.filter(name__in=[each.name for each in known if each.group == chosen])


@admin.register(Parameter)
class ParameterAdmin(RowAdmin):
    """What is set; everything else has its default."""

    form = ParameterForm
    list_display = ("name", "value_text", "default_text", "group_name")
    list_filter = (GroupFilter,)
    search_fields = ("name", "value")
    search_help_text = _("Part of a name or of a value")
    fields = ("name", "value")
    change_form_before_template = "panel/parameter_help.html"
    empty_help = _("Every parameter has its default until you set it here.")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A parameter that is set keeps its name."""
        return ("name",) if obj else ()

    def get_urls(self) -> list[URLPattern]:
        """And what the form asks while one chooses."""
        view = self.admin_site.admin_view(self.describe)
        return [path("describe/", view, name="panel_parameter_describe"), *super().get_urls()]

    def describe(self, request: HttpRequest) -> HttpResponse:
        """What is known of ?name=..."""
        return JsonResponse(described(request.GET.get("name", "")[:100]))

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        """With what is known of the parameter."""
        chosen = request.POST.get("name") or request.GET.get("name") or ""
        if object_id and (row := self.get_object(request, object_id)):
            chosen = row.name
        extra = {**(extra_context or {}), "about": described(chosen[:100])}
        return super().changeform_view(request, object_id, form_url, extra)

    @display(description=_("value"))
    def value_text(self, parameter: Parameter) -> str:
        """The value, shortened."""
        return Truncator(parameter.value).chars(SHOWN) or "–"

    @display(description=_("default"))
    def default_text(self, parameter: Parameter) -> str:
        """What it would be without the row."""
        known = parameters.find(parameter.name)
        return Truncator(known.default).chars(SHOWN) if known and known.default else "–"

    @display(description=_("group"))
    def group_name(self, parameter: Parameter) -> str:
        """The heading of the registry."""
        known = parameters.find(parameter.name)
        return known.group if known else "–"
