"""paging - pages of long lists, without counting a million rows for each of them.

RULES        rows are counted up to COUNT_LIMIT; what lies behind is found by search and filters
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.paginator import Paginator
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.functional import cached_property

from panel.admin.unfolded import ChangeList

if TYPE_CHECKING:
    Pages = Paginator[Any]
else:
    Pages = Paginator

COUNT_LIMIT = 100_000  # rows; counting so many takes some 15 ms


class CountedList(ChangeList):
    """A list with a number beside each row, asked for with the page and nowhere else."""

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        """The rows that match, each with `counted`."""
        rows: QuerySet[Any] = super().get_queryset(request, *args, **kwargs)
        page: Any = self.model_admin
        related, field = page.counted
        numbers = related.objects.filter(**{field: OuterRef("pk")}).order_by().values(field)
        found = Subquery(numbers.annotate(n=Count("pk")).values("n"))
        rows = rows.annotate(counted=Coalesce(found, 0))
        return rows


class BoundedPaginator(Pages):
    """Django's, with a bounded count."""

    @cached_property
    def count(self) -> int:
        """The number of rows, or COUNT_LIMIT where there are more."""
        return min(self._counted, COUNT_LIMIT)

    @property
    def is_cut(self) -> bool:
        """True when there are more rows than were counted."""
        return self._counted > COUNT_LIMIT

    @cached_property
    def _counted(self) -> int:
        rows = self.object_list
        if isinstance(rows, QuerySet):
            return rows.order_by()[: COUNT_LIMIT + 1].count()
        return len(rows)
