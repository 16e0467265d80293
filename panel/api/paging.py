"""paging - lists come in pages: count, next, previous, results."""

from __future__ import annotations

from rest_framework.pagination import PageNumberPagination

PAGE_SIZE = 100
PAGE_SIZE_LIMIT = 1000


class Pages(PageNumberPagination):
    """?page=2&page_size=500"""

    page_size = PAGE_SIZE
    page_size_query_param = "page_size"
    max_page_size = PAGE_SIZE_LIMIT
