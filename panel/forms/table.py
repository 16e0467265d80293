"""table - forms of entries of any table.

RULES        the kind of the table says what key and value mean; an entry that exists shows it
             a secret value is shown as ***; left as it is it stays
"""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from panel.forms.rows import RowForm
from panel.forms.views import KEY_WIDGET, POSITION_LIMIT, placed
from panel.models import Entry, Table
from tables import specs


class EntryForm(RowForm):
    """Key and value as they stand in the table's source text."""

    checked = ("lookup_key",)
    shown_as: ClassVar[dict[str, str]] = {NON_FIELD_ERRORS: "key", "lookup_key": "key"}
    helps: ClassVar[dict[str, str | Promise]] = {
        "table": _("The table decides what key and value mean."),
        "position": _("Patterns and networks are tried in this order. Exact keys have none."),
    }
    key = forms.CharField(
        label=_("Key"), max_length=8192, widget=UnfoldAdminTextInputWidget(KEY_WIDGET)
    )
    value = forms.CharField(
        label=_("Value"),
        max_length=1024 * 1024,
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 3, "spellcheck": "false"}),
    )
    position = forms.IntegerField(
        label=_("Position"),
        required=False,
        min_value=0,
        max_value=POSITION_LIMIT,
        widget=UnfoldAdminIntegerFieldWidget(),
    )

    class Meta:
        model = Entry
        fields = ("table", "key", "value", "position", "enabled", "comment")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self._keeps_a_secret:
            self.initial["value"] = specs.MASK
        kind = specs.KINDS.get(self._kind())
        if kind is not None:
            for name, text in (("key", kind.key_help), ("value", kind.value_help)):
                if name in self.fields:
                    self.fields[name].help_text = text

    def clean_position(self) -> int:
        """Without a number: where it was, or the beginning."""
        return placed(self)

    def clean_value(self) -> str:
        """What is shown of a secret value means that it stays, in its table."""
        value = str(self.cleaned_data["value"])
        if value != specs.MASK or not self._keeps_a_secret:
            return value
        if self.cleaned_data.get("table", self.instance.table) != self.instance.table:
            raise forms.ValidationError(_("Give the value again: the entry moves."))
        return str(self.instance.value)

    @property
    def _keeps_a_secret(self) -> bool:
        """True for an entry whose value is not shown."""
        return bool(self.instance.pk and self.instance.table.is_secret)

    def _kind(self) -> str:
        """The kind of the entry's table, or of the one it is going to be added to."""
        if self.instance.table_id is not None:
            return str(self.instance.table.kind)
        given = str(self.initial.get("table", ""))
        if not given.isascii() or not given.isdigit() or len(given) > 18:
            return ""
        return Table.objects.filter(pk=int(given)).values_list("kind", flat=True).first() or ""
