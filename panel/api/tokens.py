"""tokens - bearer tokens: /tokens/.

RULES        everybody has their own tokens; a superuser sees and removes those of others too. A
             token is made for the one who asks, shown once, and cannot outlive the token it was
             asked with.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers

from panel.api.filters import FilterSet
from panel.api.rowform import RowForm
from panel.api.rowview import WriteView
from panel.models import ApiToken
from panel.services.tokens import issue_token


class TokenForm(RowForm):
    """A token; its text is in the answer to the POST that makes it, and nowhere else."""

    user: serializers.SlugRelatedField[User] = serializers.SlugRelatedField(
        slug_field="username", read_only=True
    )
    token = serializers.SerializerMethodField(help_text="Shown once, to the one who made it.")

    class Meta:
        model = ApiToken
        fields = (
            "id",
            "user",
            "name",
            "prefix",
            "scope",
            "created",
            "expires",
            "last_used",
            "token",
        )
        read_only_fields = ("user", "prefix", "created", "last_used")

    def get_token(self, row: ApiToken) -> str | None:
        """The text, right after it was made."""
        texts: dict[int, str] = self.context["texts"]
        return texts.get(row.pk)

    def check(self, row: ApiToken, attrs: dict[str, Any]) -> None:
        """Not in the past, and not after the token that asks."""
        if row.pk is None or "expires" in attrs:
            self._check_time(row.expires)
        if row.pk is not None:  # a new one is checked when its text is made
            super().check(row, attrs)

    def _check_time(self, expires: datetime | None) -> None:
        message = None
        limit = getattr(self.context["request"].auth, "expires", None)
        if expires is not None and expires <= timezone.now():
            message = _("This is in the past.")
        elif limit is not None and (expires is None or expires > limit):
            message = _("Your own token expires at %s; one made with it cannot last longer.")
            message %= limit.isoformat()
        if message:
            raise serializers.ValidationError({"expires": message})

    def save(self, **kwargs: Any) -> ApiToken:
        """Makes the text of a new token."""
        if self.row.pk is not None:
            super().save()
            return self.row  # type: ignore[no-any-return]
        self.instance = self._issue(self.row)
        return self.instance

    def _issue(self, wanted: ApiToken) -> ApiToken:
        token, text = issue_token(
            self.context["request"].user, name=wanted.name, scope=wanted.scope
        )
        token.expires = wanted.expires
        token.save(update_fields=["expires"])
        self.context["texts"][token.pk] = text
        return token


class TokenFilter(FilterSet):
    """?scope=read"""

    class Meta:
        model = ApiToken
        fields = ("scope",)


class TokenView(WriteView):
    """Bearer tokens: one's own; for a superuser everybody's."""

    permission_model = ApiToken
    queryset = ApiToken.objects.select_related("user")
    serializer_class = TokenForm
    filterset_class = TokenFilter
    search_fields = ("name", "prefix")
    ordering_names = {"id": "pk", "name": "name", "created": "created", "last_used": "last_used"}
    secret_fields = ("token",)
    cache_control = "no-store"
    volatile = ("last_used", "token")

    def get_serializer_context(self) -> dict[str, Any]:
        """With the texts of the tokens that this request made, by id."""
        texts = self.__dict__.setdefault("_texts", {})
        return {**super().get_serializer_context(), "texts": texts}

    def get_queryset(self) -> QuerySet[ApiToken]:
        """Those that are the user's business."""
        rows = super().get_queryset()
        user = self.request.user
        return rows if user.is_superuser else rows.filter(user_id=user.pk)
