"""token - pages of the API tokens.

RULES        a token's text is shown once, in the answer to its creation, and is nowhere kept.
             Who is not a superuser sees and makes only tokens of their own: a token may do what
             its user may.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from panel.admin.base import BaseAdmin
from panel.admin.unfolded import display
from panel.forms.token import TokenForm
from panel.models import ApiToken
from panel.services.tokens import issue_token


@admin.register(ApiToken)
class TokenAdmin(BaseAdmin):
    """Tokens: add, look, remove."""

    form = TokenForm
    list_display = ("name", "user", "prefix", "scope", "state", "created", "expires", "last_used")
    list_filter = (("scope", ChoicesDropdownFilter),)
    list_select_related = ("user",)
    search_fields = ("name", "=prefix", "user__username")
    search_help_text = gettext_lazy("Part of a name, a user, or how the token begins")
    autocomplete_fields = ("user",)
    actions = ()
    empty_help = gettext_lazy("A token lets a program use the API as one of the users.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiToken]:
        """One's own; all of them for a superuser."""
        rows: QuerySet[ApiToken] = super().get_queryset(request)
        return rows if request.user.is_superuser else rows.filter(user_id=request.user.pk or 0)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A superuser chooses whose token it is."""
        if obj is not None:
            return ("name", "user", "prefix", "scope", "created", "expires", "last_used")
        own = ("name", "scope", "days")
        return ("user", *own) if request.user.is_superuser else own

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """For oneself."""
        return {"user": request.user.pk, **super().get_changeform_initial_data(request)}

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A token is made and removed, never changed."""
        return False

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        """Issues the token; its text is kept until the answer."""
        user = form.cleaned_data.get("user") if request.user.is_superuser else request.user
        token, text = issue_token(
            user or request.user,  # type: ignore[arg-type]
            name=form.cleaned_data["name"],
            scope=form.cleaned_data["scope"],
            days=form.cleaned_data["days"],
        )
        obj.__dict__.update(token.__dict__)
        request.token_text = text  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: ApiToken, post_url_continue: str | None = None
    ) -> HttpResponse:
        """The one page that shows the token."""
        response = TemplateResponse(
            request,
            "panel/token.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.model._meta,
                "title": _("New API token"),
                "token": obj,
                "text": request.token_text,  # type: ignore[attr-defined]
            },
        )
        response["Cache-Control"] = "no-store"
        return response

    @display(
        description=gettext_lazy("state"),
        label={"valid": "success", "expired": "danger"},
    )
    def state(self, token: ApiToken) -> tuple[str, str]:
        """Valid or expired."""
        return ("expired", _("expired")) if token.is_expired else ("valid", _("valid"))
