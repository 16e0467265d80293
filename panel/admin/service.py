"""service - pages of the services of master.cf."""

from __future__ import annotations

from django.contrib import admin
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesDropdownFilter

from panel.admin.base import RowAdmin
from panel.admin.unfolded import display
from panel.forms.service import ServiceForm
from panel.models import Service

SHOWN = 80  # characters in a list


@admin.register(Service)
class ServiceAdmin(RowAdmin):
    """master(5)"""

    form = ServiceForm
    list_display = ("service_name", "command_text", "overrides_text", "enabled")
    list_filter = (("type", ChoicesDropdownFilter), ("enabled", BooleanRadioFilter))
    search_fields = ("name", "command")
    search_help_text = _("Part of a name or a command")
    fieldsets = (
        (None, {"fields": ("name", "type", "command", "enabled", "overrides")}),
        (
            _("As in master.cf"),
            {
                "fields": ("maxproc", "wakeup", "private", "unprivileged", "chroot"),
                "classes": ("collapse",),
            },
        ),
    )
    empty_help = _(
        "The engine has its usual services. Add one to listen on another port, to give a service "
        "other parameters, or for a transport of your own."
    )

    @display(description=_("service"), ordering="name")
    def service_name(self, service: Service) -> str:
        """As postconf -M says it."""
        return str(service)

    @display(description=_("command"))
    def command_text(self, service: Service) -> str:
        """The command, shortened."""
        return Truncator(service.command).chars(SHOWN)

    @display(description=_("overrides"))
    def overrides_text(self, service: Service) -> str:
        """The overrides, shortened."""
        pairs = (f"{name}={value}" for name, value in service.overrides.items())
        return Truncator(", ".join(pairs)).chars(SHOWN) or "–"
