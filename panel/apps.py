"""apps - the panel as a Django application: its checks and the doorbell are connected here."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PanelConfig(AppConfig):
    """Waypost's one application."""

    name = "panel"
    verbose_name = _("Waypost")
