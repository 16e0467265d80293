"""rowform - the form of a row in JSON: RowForm is the base of all serializers of rows.

RULES        types are checked here (fields.py), everything else by the model: full_clean(), whose
             errors come back under the API's names (`api_names`). A second row with the same key is
             a conflict (409), everything else 400.
             Unknown fields are refused. Fields that are only read may be sent, so that what was
             read can be sent back; they change nothing.
             PUT means the whole row: what is left out goes back to its default, save what is in
             `kept`. PATCH changes what is given.
             In bulk edits the questions to the database (unique? does the domain exist?) are asked
             for all rows at once: bulk.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, cast

from django.core.exceptions import NON_FIELD_ERRORS
from django.core.exceptions import ValidationError as ModelError
from django.db import models
from django.utils.translation import gettext as _
from rest_framework import serializers

from panel.api.fields import Number, Text, Truth
from panel.api.problems import FIELD_LIMIT, conflict

# an item of a list in one text: quoted strings and all but commas. RFC 5322 3.2.4
ITEM = re.compile(r'(?:"(?:\\.|[^"\\])*"|[^,])+')


def memory_of(field: serializers.Field[Any, Any, Any, Any]) -> dict[str, Any]:
    """The context: all forms of one request share it, and remember in it what they asked."""
    return cast(dict[str, Any], field.context)


class RowForm(serializers.ModelSerializer[Any]):
    """One row in JSON. After is_valid(), `row` is the row as it would be saved."""

    serializer_field_mapping: ClassVar[dict[Any, Any]] = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.CharField: Text,
        models.TextField: Text,
        models.BooleanField: Truth,
        models.BigIntegerField: Number,
        models.PositiveIntegerField: Number,
    }
    api_names: ClassVar[dict[str, str]] = {}  # field of the model -> field of the API
    kept: ClassVar[frozenset[str]] = frozenset()  # what a PUT leaves alone when it is left out
    set_elsewhere: ClassVar[frozenset[str]] = frozenset()  # model fields that are not set yet

    row: Any

    @property
    def model(self) -> Any:
        """The rows' class."""
        return self.Meta.model

    @property
    def memory(self) -> dict[str, Any]:
        """memory_of this form."""
        return memory_of(self)

    def build_standard_field(self, field_name: str, model_field: Any) -> Any:
        """Without the model's validators: full_clean() runs them."""
        field, arguments = super().build_standard_field(field_name, model_field)
        arguments.pop("validators", None)
        return field, arguments

    def get_validators(self) -> list[Any]:
        """None: full_clean() knows what is unique."""
        return []

    def to_internal_value(self, data: Any) -> Any:
        """The values, by name. Raises ValidationError, for unknown names too."""
        if isinstance(data, Mapping):
            unknown = [name for name in data if name not in self.fields]
            if unknown:
                message = _("There is no such field.")
                raise serializers.ValidationError(
                    {str(name)[:FIELD_LIMIT]: [message] for name in unknown[:20]}
                )
        return super().to_internal_value(data)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Fills in the row and has the model look at it."""
        if self.instance is None:
            row = self.new_row()
        else:
            row = self.instance
            if not self.partial:
                attrs = {**self._defaults(attrs), **attrs}
        self.assign(row, attrs)
        self.check(row, attrs)
        self.row = row
        return attrs

    def cell_readers(self) -> dict[str, Callable[[str], Any]]:
        """For the fields that are no texts: what makes their value of a cell of CSV."""
        readers: dict[str, Callable[[str], Any]] = {"id": _number_of}
        for name, field in self.fields.items():
            if isinstance(field, Truth):
                readers[name] = _truth_of
            elif isinstance(field, Number):
                readers[name] = _number_of
            elif isinstance(field, serializers.ListField):
                readers[name] = _items_of
        return readers

    def new_row(self) -> Any:
        """An empty row, with what the address of the request says about it."""
        return self.model(**self.context.get("fixed", {}))

    def assign(self, row: Any, attrs: dict[str, Any]) -> None:
        """Puts the values into the row."""
        for name, value in attrs.items():
            setattr(row, name, value)

    def check(self, row: Any, attrs: dict[str, Any]) -> None:
        """Raises ValidationError or Problem 409 in the API's words."""
        in_bulk = self.context.get("in_bulk", False)
        asked_later = {
            field.name for field in row._meta.concrete_fields if in_bulk and field.is_relation
        }
        try:
            row.full_clean(
                exclude=asked_later | self.set_elsewhere,
                validate_unique=False,
                validate_constraints=False,
            )
        except ModelError as error:
            raise serializers.ValidationError(self.in_api_words(error)) from error
        if not in_bulk:
            self._check_constraints(row)

    def save(self, **kwargs: Any) -> Any:
        """Stores the row that was checked."""
        self.row.save()
        self.after_save(self.row, self.validated_data)
        self.instance = self.row
        return self.row

    def after_save(self, row: Any, attrs: Mapping[str, Any]) -> None:
        """For what hangs on the row."""

    def in_api_words(self, error: ModelError) -> dict[str, list[str]]:
        """field of the API -> messages."""
        found: dict[str, list[str]] = {}
        by_field = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
        for name, messages in by_field.items():
            found.setdefault(self.api_name(name), []).extend(messages)
        return found

    def api_name(self, name: str) -> str:
        """What the API calls a field of the model; "" for the row as a whole."""
        if name in (NON_FIELD_ERRORS, ""):
            return ""
        return self.api_names.get(name, name if name in self.fields else "")

    def _defaults(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The values of what a PUT left out."""
        found = {}
        for name, field in self.fields.items():
            source = str(field.source)
            if field.read_only or source in given or name in self.kept or field.required:
                continue
            found[source] = self.default_of(source)
        return found

    def default_of(self, source: str) -> Any:
        """The value of a field that nobody gave."""
        return self.model._meta.get_field(source).get_default()

    def _check_constraints(self, row: Any) -> None:
        conflicts = list(dict.fromkeys(self._conflicts(row)))
        if conflicts:
            raise conflict([{"field": name, "message": text} for name, text in conflicts])
        for model, constraints in row.get_constraints():
            for constraint in constraints:
                if isinstance(constraint, models.UniqueConstraint):
                    continue
                try:
                    constraint.validate(model, row)
                except ModelError as error:
                    raise serializers.ValidationError(self.in_api_words(error)) from error

    def _conflicts(self, row: Any) -> Iterator[tuple[str, str]]:
        """(field, message) for each rule of uniqueness that another row stands in the way of."""
        try:
            row.validate_unique()
        except ModelError as error:
            for name, messages in error.message_dict.items():
                yield self.api_name(name), messages[0]
            return
        for model, constraints in row.get_constraints():
            for constraint in constraints:
                if not isinstance(constraint, models.UniqueConstraint):
                    continue
                try:
                    constraint.validate(model, row)
                except ModelError as error:
                    yield self.api_name(constraint.fields[-1]), error.messages[0]


def _truth_of(cell: str) -> Any:
    return {"true": True, "false": False}.get(cell.lower(), cell)


def _number_of(cell: str) -> Any:
    return int(cell) if cell.isascii() and cell.isdigit() and len(cell) <= 18 else cell


def _items_of(cell: str) -> list[str]:
    """What stands between commas; those inside quotes belong to their item."""
    if '"' not in cell:
        return [item for part in cell.split(",") if (item := part.strip())]
    return [item for part in ITEM.findall(cell) if (item := part.strip())]
