"""rows - the form of a row: the model's whole validation, whatever the form shows of it.

SUMMARY      class AliasForm(RowForm): checked = (...); shown_as = {...}
RULES        `checked` are fields that are not on the form but take part in validation all the same,
             so that the unique constraints are asked before the database has to.
             `shown_as` maps a field of the model to the form's field beside which its errors are
             shown; the error of a field that the form does not have at all stands above the form.
             No text holds control characters: they would reach logs, terminals and SMTP replies.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, cast

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[Any]
else:
    ModelForm = forms.ModelForm

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # all but tab and line end


class RowForm(ModelForm):
    """A ModelForm that validates the whole row."""

    checked: ClassVar[tuple[str, ...]] = ()
    shown_as: ClassVar[dict[str, str]] = {}
    labels: ClassVar[dict[str, str | Promise]] = {}
    helps: ClassVar[dict[str, str | Promise]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label in self.labels.items():
            if name in self.fields:
                self.fields[name].label = cast(str, label)
        for name, text in self.helps.items():
            if name in self.fields:
                self.fields[name].help_text = cast(str, text)

    def clean(self) -> dict[str, Any] | None:
        """Refuses control characters."""
        data = super().clean() or self.cleaned_data
        for name, value in list(data.items()):
            if isinstance(value, str) and CONTROL.search(value):
                self.add_error(name, _("There is a control character in this text."))
        return data

    def _get_validation_exclusions(self) -> set[str]:
        wrong = self.errors
        left_out: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return left_out - {
            name
            for name in self.checked
            if name not in wrong and self.shown_as.get(name, name) not in wrong
        }

    def add_error(self, field: str | None, error: Any) -> None:
        """As Django's; errors of fields that are not on the form move to where they are seen."""
        if not isinstance(error, ValidationError):
            error = ValidationError(error)
        if field is not None or not hasattr(error, "error_dict"):
            super().add_error(field, error)
            return
        moved: dict[str, list[ValidationError]] = {}
        for name, errors in error.error_dict.items():
            place = self.shown_as.get(name, name)
            if place not in self.fields:
                place = NON_FIELD_ERRORS
            elif place in self.errors:
                continue  # one thing at a time
            moved.setdefault(place, []).extend(errors)
        if moved:
            super().add_error(None, ValidationError(moved))
