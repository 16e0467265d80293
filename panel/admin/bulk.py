"""bulk - the page between choosing rows and doing something to all of them.

RULES        the page says how many rows it is about and shows the first few. It posts back to the
             same list with the same filters: "all" stays "all that match", without a field for each
             of 100,000 rows.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin import helpers
from django.db import models
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

SHOWN = 10
CHOSEN_LIMIT = 1000  # rows ticked one by one


def confirmation(
    page: Any,
    request: HttpRequest,
    queryset: models.QuerySet[Any],
    *,
    action: str,
    title: str,
    sentence: str,
    hindrance: str = "",
    counts: dict[Any, int] | None = None,
    form: forms.Form | None = None,
    is_danger: bool = False,
) -> TemplateResponse:
    """Asks whether `action` is really to be done to the rows; `form` asks for more."""
    count = queryset.order_by().count()
    return TemplateResponse(
        request,
        "panel/confirm.html",
        {
            **page.admin_site.each_context(request),
            "opts": page.model._meta,
            "title": title,
            "subtitle": None,
            "sentence": sentence,
            "hindrance": hindrance,
            "also": {name: n for name, n in list((counts or {}).items())[1:] if n},
            "count": count,
            "shown": list(queryset[:SHOWN]),
            "more": max(0, count - SHOWN),
            "form": form,
            "action": action,
            "is_danger": is_danger,
            "select_across": "1" if request.POST.get("select_across") == "1" else "0",
            "chosen": request.POST.getlist(helpers.ACTION_CHECKBOX_NAME)[:CHOSEN_LIMIT],
            "checkbox": helpers.ACTION_CHECKBOX_NAME,
            "submit": _("Yes, go on"),
        },
    )
