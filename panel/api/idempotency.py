"""idempotency - a POST that comes again gets the answer it got the first time.

RULES        Idempotency-Key names one request of one user. The answer is kept in the transaction of
             the request itself: a failed request leaves nothing and may be tried again, a second
             one that comes while the first is at work waits for it.
             The same key with another request is an error (422). Answers are kept for KEPT; secrets
             in them are not kept.
SOURCE       draft-ietf-httpapi-idempotency-key-header-07
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from panel.api.problems import Problem
from panel.models import IdempotentRequest

KEPT = timedelta(hours=24)
KEY_LIMIT = 255  # characters
PURGED_AT_ONCE = 1000
KEPT_HEADERS = ("ETag", "Location", "Waypost-Revision")


def key_of(request: Request) -> str | None:
    """The key, without the quotes of a structured field. Raises Problem 400."""
    text = request.headers.get("Idempotency-Key")
    if text is None or request.method != "POST":
        return None
    key = text.strip().removeprefix('"').removesuffix('"')
    if not 0 < len(key) <= KEY_LIMIT or not key.isascii() or not key.isprintable():
        raise Problem(400, _("Idempotency-Key must be 1 to %d printable characters.") % KEY_LIMIT)
    return key


def claim(request: Request, key: str) -> IdempotentRequest:
    """The record of this key: with the answer, or a new one without. Raises Problem 422."""
    user_id = int(request.user.pk or 0)
    mine = IdempotentRequest.objects.filter(user_id=user_id)
    mine.filter(key=key, created__lt=timezone.now() - KEPT).delete()
    digest = _digest(request)
    record, _made = mine.get_or_create(
        user_id=user_id, key=key, defaults={"request_digest": digest}
    )
    if not hmac.compare_digest(record.request_digest, digest):
        raise Problem(422, _("This Idempotency-Key was used for another request."))
    return record


def remember(record: IdempotentRequest, response: Response, secret: Collection[str]) -> None:
    """Keeps the answer, and lets go of some old ones."""
    body = json.loads(JSONRenderer().render(response.data) or b"null")
    if isinstance(body, dict):
        body |= {name: None for name in secret if name in body}
    record.status, record.body = response.status_code, body
    record.headers = {name: response[name] for name in KEPT_HEADERS if name in response}
    record.save(update_fields=["status", "body", "headers"])
    old = IdempotentRequest.objects.filter(created__lt=timezone.now() - KEPT)
    some = old.select_for_update(skip_locked=True).values_list("pk", flat=True)[:PURGED_AT_ONCE]
    IdempotentRequest.objects.filter(pk__in=list(some)).delete()


def replay(record: IdempotentRequest) -> Response:
    """The answer that was kept."""
    headers = {**record.headers, "Idempotency-Replayed": "true"}
    return Response(record.body, record.status, headers=headers)


def _digest(request: Request) -> str:
    """Of method, address and body; keyed, for bodies hold passwords."""
    content: list[Any] = [request.method, request.get_full_path(), request.data]
    text = json.dumps(content, sort_keys=True)
    return hmac.new(settings.SECRET_KEY.encode(), text.encode(), hashlib.sha256).hexdigest()
