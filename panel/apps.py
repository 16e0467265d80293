"""apps - the panel as a Django application; its system checks are connected here."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PanelConfig(AppConfig):
    """Waypost's one application."""

    name = "panel"
    verbose_name = _("Waypost")

    def ready(self) -> None:
        """Registers the system checks."""
        import_module("panel.checks")
