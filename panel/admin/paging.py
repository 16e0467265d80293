"""paging - pages of long lists, without counting a million rows for each of them.

RULES        rows are counted up to COUNT_LIMIT; what lies behind is found by search and filters
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

if TYPE_CHECKING:
    Pages = Paginator[Any]
else:
    Pages = Paginator

COUNT_LIMIT = 100_000  # rows; counting so many takes some 15 ms


class BoundedPaginator(Pages):
    """Django's, with a bounded count."""

    @cached_property
    def count(self) -> int:
        """The number of rows, or COUNT_LIMIT where there are more."""
        rows = self.object_list
        if isinstance(rows, QuerySet):
            return rows.order_by()[:COUNT_LIMIT].count()
        return len(rows)
