"""token - a bearer token for the API.

RULES        only the SHA-256 of a token is kept; 256 random bits need no slow hash. The prefix is
             for finding the row and for telling tokens apart in lists.
SOURCE       RFC 6750
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from panel.choices import Scope
from panel.constants import TOKEN_PREFIX_LENGTH


class ApiToken(models.Model):
    """One token of one user."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        on_delete=models.CASCADE,
        related_name="api_tokens",
    )
    name = models.CharField(
        _("name"), max_length=100, help_text=_("What the token is for: backup, provisioning ...")
    )
    prefix = models.CharField(
        _("begins with"), max_length=TOKEN_PREFIX_LENGTH, unique=True, editable=False
    )
    digest = models.CharField(_("digest"), max_length=64, editable=False)
    scope = models.CharField(_("may"), max_length=5, choices=Scope.choices, default=Scope.WRITE)
    created = models.DateTimeField(_("created"), db_default=Now())
    expires = models.DateTimeField(_("expires"), null=True, blank=True)
    last_used = models.DateTimeField(_("last used"), null=True, editable=False)

    class Meta:
        ordering = ("user", "name", "id")
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        constraints = [
            models.CheckConstraint(
                name="token_scope_known", condition=models.Q(scope__in=Scope.values)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_expired(self) -> bool:
        """True when its time is over."""
        return self.expires is not None and self.expires <= timezone.now()
