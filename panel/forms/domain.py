"""domain - the form of a hosted domain.

SOURCE       ADDRESS_CLASS_README
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from panel.constants import DOMAIN_LENGTH
from panel.forms.rows import RowForm
from panel.models import Domain


class DomainForm(RowForm):
    """One domain."""

    name = forms.CharField(
        label=_("Name"),
        max_length=DOMAIN_LENGTH,
        widget=UnfoldAdminTextInputWidget(
            {"placeholder": "example.com", "spellcheck": "false", "autocapitalize": "none"}
        ),
        help_text=_("example.com; names in other scripts may be written as they are."),
    )

    class Meta:
        model = Domain
        fields = ("name", "kind", "enabled", "description")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["name"] = self.instance.display_name
