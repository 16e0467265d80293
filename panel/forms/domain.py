"""domain - the forms of a hosted domain and of its other names.

SOURCE       ADDRESS_CLASS_README
"""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from panel.constants import DOMAIN_LENGTH
from panel.forms.rows import RowForm
from panel.models import Domain, DomainAlias


class NamedForm(RowForm):
    """A row with the name of a domain, shown in Unicode."""

    name = forms.CharField(
        label=_("Name"),
        max_length=DOMAIN_LENGTH,
        widget=UnfoldAdminTextInputWidget(
            {"placeholder": "example.com", "spellcheck": "false", "autocapitalize": "none"}
        ),
        help_text=_("example.com; names in other scripts may be written as they are."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["name"] = self.instance.display_name


class DomainForm(NamedForm):
    """One domain."""

    class Meta:
        model = Domain
        fields = ("name", "kind", "enabled", "description")


class DomainAliasForm(NamedForm):
    """One other name of a domain."""

    helps: ClassVar[dict[str, str | Promise]] = {
        "name": _("example.org; names in other scripts may be written as they are."),
    }

    class Meta:
        model = DomainAlias
        fields = ("name", "domain", "enabled", "description")
