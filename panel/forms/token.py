"""token - the form of a new API token.

RULES        who is not a superuser makes tokens for themselves only
"""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from panel.forms.rows import ModelForm
from panel.models import ApiToken


class TokenForm(ModelForm):
    """What a token is for, and how long."""

    days = forms.IntegerField(
        label=_("Valid for (days)"),
        required=False,
        min_value=1,
        max_value=36_500,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=_("Empty: until it is removed."),
    )

    class Meta:
        model = ApiToken
        fields = ("user", "name", "scope")
