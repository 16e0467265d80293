"""tokens - issue and check the bearer tokens of the API.

RULES        a token is "wp_" + 43 characters from 256 random bits; it is shown once, only its
             SHA-256 is kept. The time of a check does not tell how much of a token was right.
SOURCE       RFC 6750; secrets, hmac.compare_digest
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta

from django.contrib.auth.models import User
from django.utils import timezone

from panel.choices import Scope
from panel.constants import TOKEN_BYTES, TOKEN_PREFIX_LENGTH, TOKEN_USE_NOTED_S
from panel.models import ApiToken

MARK = "wp_"  # lets secret scanners and people recognise one
TOKEN_LIMIT = 200  # characters; longer ones are not looked at


def issue_token(
    user: User, *, name: str, scope: str = Scope.WRITE, days: int | None = None
) -> tuple[ApiToken, str]:
    """A new token: its row, and its text, which cannot be had again. `days`: None is for ever."""
    text = MARK + secrets.token_urlsafe(TOKEN_BYTES)
    token = ApiToken(
        user=user,
        name=name,
        prefix=_prefix(text),
        digest=_digest(text),
        scope=scope,
        expires=None if days is None else timezone.now() + timedelta(days=days),
    )
    token.full_clean()
    token.save()
    return token, text


def find_token(text: str) -> ApiToken | None:
    """The token with this text when it is valid and its user may log in; None otherwise."""
    if not text.startswith(MARK) or len(text) > TOKEN_LIMIT or not text.isprintable():
        return None
    token = ApiToken.objects.select_related("user").filter(prefix=_prefix(text)).first()
    known = token.digest if token else _digest("")
    if not hmac.compare_digest(known, _digest(text)) or token is None:
        return None
    if token.is_expired or not token.user.is_active:
        return None
    _note_use(token)
    return token


def _note_use(token: ApiToken) -> None:
    """Keeps the time of use, roughly: a row is not written for every request."""
    now = timezone.now()
    if token.last_used is None or now - token.last_used > timedelta(seconds=TOKEN_USE_NOTED_S):
        ApiToken.objects.filter(pk=token.pk).update(last_used=now)
        token.last_used = now


def _prefix(text: str) -> str:
    return text[len(MARK) : len(MARK) + TOKEN_PREFIX_LENGTH]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
