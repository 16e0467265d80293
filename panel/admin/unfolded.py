"""unfolded - what the pages use of django-unfold, with types: it ships none.

RULES        for the type checker an unfold class is the class of Django's that it extends
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from django.utils.functional import Promise
from unfold import decorators

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as DjangoModelAdmin
    from django.contrib.admin import SimpleListFilter as DropdownFilter
    from django.contrib.admin import TabularInline as DjangoTabularInline
    from django.contrib.admin.views.main import ChangeList
    from django.db.models import Model

    ModelAdmin = DjangoModelAdmin[Any]
    TabularInline = DjangoTabularInline[Any, Model]
else:
    from unfold.admin import ModelAdmin, TabularInline
    from unfold.contrib.filters.admin import DropdownFilter
    from unfold.views import ChangeList

__all__ = ["ChangeList", "DropdownFilter", "ModelAdmin", "TabularInline", "display"]

Shown = TypeVar("Shown", bound=Callable[..., Any])


def display(
    *,
    description: str | Promise,
    ordering: str | None = None,
    boolean: bool | None = None,
    label: bool | Mapping[str, str] | None = None,
) -> Callable[[Shown], Shown]:
    """A column of a list; `label` shows it as a badge, coloured by the first of its two values."""

    def decorate(function: Shown) -> Shown:
        shown: Shown = decorators.display(
            function, description=description, ordering=ordering, boolean=boolean, label=label
        )
        return shown

    return decorate
