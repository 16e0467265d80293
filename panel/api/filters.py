"""filters - which rows of a list, and in which order.

SUMMARY      Search ?search=words; Ordering ?ordering=name,-id; refuse_unknown for everything else
RULES        search finds each word in any of the view's `search_fields`, by their trigram indexes.
             Only the names in the view's `ordering_names` order a list, and the id decides among
             equals, so that pages do not overlap. A parameter that nobody knows is an error: a
             misspelt filter must not look like one that matched everything.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django_filters import rest_framework as django_filters  # type: ignore[import-untyped]
from rest_framework.exceptions import ValidationError
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request

SEARCH_LIMIT = 200  # characters
WORDS_LIMIT = 5

BooleanFilter = django_filters.BooleanFilter
CharFilter = django_filters.CharFilter
IsoDateTimeFilter = django_filters.IsoDateTimeFilter


class FilterSet(django_filters.FilterSet):  # type: ignore[misc]
    """What a list can be narrowed by."""


class Search(BaseFilterBackend):
    """?search="""

    def filter_queryset(
        self, request: Request, queryset: QuerySet[Any], view: Any
    ) -> QuerySet[Any]:
        """The rows that contain every word."""
        text = request.query_params.get("search", "").strip()
        fields = getattr(view, "search_fields", ())
        if not text or not fields:
            return queryset
        if len(text) > SEARCH_LIMIT or len(text.split()) > WORDS_LIMIT or not text.isprintable():
            raise ValidationError({"search": _("Give a few words of plain text.")})
        for word in text.split():
            matches = Q()
            for field in fields:
                matches |= Q((f"{field}__icontains", word))
            queryset = queryset.filter(matches)
        return queryset

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """For the OpenAPI document."""
        if not getattr(view, "search_fields", ()):
            return []
        return [_parameter("search", "Words that the row contains.")]


class Ordering(BaseFilterBackend):
    """?ordering="""

    def filter_queryset(
        self, request: Request, queryset: QuerySet[Any], view: Any
    ) -> QuerySet[Any]:
        """The rows in the order asked for."""
        text = request.query_params.get("ordering", "").strip()
        if not text:
            return queryset
        names: dict[str, str] = view.ordering_names
        columns = []
        for word in text.split(",")[: len(names)]:
            name = word.strip().removeprefix("-")
            if name not in names:
                known = ", ".join(names)
                raise ValidationError({"ordering": _("Order by one or more of %s.") % known})
            columns.append("-" * word.strip().startswith("-") + names[name])
        return queryset.order_by(*columns, "pk")

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """For the OpenAPI document."""
        known = ", ".join(view.ordering_names)
        return [_parameter("ordering", f"One or more of {known}; with a hyphen for descending.")]


def refuse_unknown(request: Request, known: Iterable[str]) -> None:
    """Raises ValidationError for a query parameter that is not among the known ones."""
    unknown = sorted(set(request.query_params) - set(known))
    if unknown:
        message = _("There is no such parameter here. Known are %s.") % ", ".join(sorted(known))
        raise ValidationError(dict.fromkeys(unknown[:5], message))


def _parameter(name: str, description: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": {"type": "string"},
    }
