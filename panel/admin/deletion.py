"""deletion - what goes with a row when it is deleted, in numbers.

RULES        one look down the foreign keys: CASCADE is counted, PROTECT hinders. Django's collector
             lists every row instead, which a table of 100,000 entries does not survive.
             Who may not delete what goes along, may not delete the row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from django.contrib.admin.utils import quote
from django.db import models
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from panel.admin.unfolded import ModelAdmin

SHOWN = 20


@dataclass(slots=True)
class Deletion:
    """`counts` is name -> number, `listed` some of the rows with links."""

    listed: list[Any] = field(default_factory=list)
    counts: dict[Any, int] = field(default_factory=dict)
    perms_needed: set[Any] = field(default_factory=set)
    protected: list[Any] = field(default_factory=list)

    @property
    def is_allowed(self) -> bool:
        """True when nothing hinders it."""
        return not self.perms_needed and not self.protected

    @property
    def hindrance(self) -> str:
        """Why it cannot be; '' when it can."""
        if self.protected:
            names = ", ".join(str(each) for each in self.protected[:SHOWN])
            return _("These are still used by: %s. Change that first.") % names
        if self.perms_needed:
            names = ", ".join(str(each) for each in self.perms_needed)
            return _("You may not delete what would go along: %s.") % names
        return ""

    @classmethod
    def of(cls, page: ModelAdmin, request: HttpRequest, objs: Iterable[models.Model]) -> Self:
        """What deleting `objs`, a queryset or a list, would take along."""
        meta = page.model._meta
        rows: Any = objs if isinstance(objs, models.QuerySet) else list(objs)
        keys: Any
        if isinstance(rows, models.QuerySet):
            count, shown, keys = rows.order_by().count(), rows[:SHOWN], rows.order_by().values("pk")
        else:
            count, shown, keys = len(rows), rows[:SHOWN], [row.pk for row in rows]
        found = cls(listed=[_link(page, row) for row in shown])
        found.counts[meta.verbose_name_plural] = count
        if not page.has_delete_permission(request):
            found.perms_needed.add(meta.verbose_name)
        for relation in (meta.concrete_model or page.model)._meta.related_objects:
            found._follow(page, request, relation, keys)
        if count > SHOWN:
            found.listed.append(_("… and %d more") % (count - SHOWN))
        return found

    def _follow(self, page: ModelAdmin, request: HttpRequest, relation: Any, keys: Any) -> None:
        """One foreign key that points at the rows."""
        model = relation.related_model
        rows = model._base_manager.filter(**{f"{relation.field.name}__in": keys})
        if relation.on_delete is models.PROTECT:
            owner = next((f for f in model._meta.fields if f.name == "list"), None)
            self.protected.extend(
                f"{getattr(row, 'list', '')} {row}" if owner else str(row) for row in rows[:SHOWN]
            )
        elif relation.on_delete is models.CASCADE and (count := rows.count()):
            self.counts[model._meta.verbose_name_plural] = count
            registered = page.admin_site._registry.get(model)
            if registered is not None and not registered.has_delete_permission(request):
                self.perms_needed.add(model._meta.verbose_name)


def _link(page: ModelAdmin, row: models.Model) -> Any:
    meta = row._meta
    try:
        url = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=(quote(row.pk),))
    except NoReverseMatch:
        return str(row)
    return format_html('{}: <a href="{}">{}</a>', capfirst(meta.verbose_name), url, row)
