"""writes - what every writing request has in common.

SUMMARY      @write on a handler of a view
RULES        one transaction, its changes recorded as made by the token's user through the API.
             Every answer says Waypost-Revision: the revision of its changes. A write that alters
             nothing answers the newest revision that is not live yet, or the newest there is.
             ?dry_run=true does all of it, answers what it did (changes, lint), and undoes it.
             Prefer: wait=live (optionally timeout=20) answers once every node obeys the edit, with
             Preference-Applied; when it does not come in time, or the publish refused it, as usual,
             with Waypost-Live: false.
LIMITS       at most WAITERS requests wait at a time in a process, so that others are served too
SOURCE       RFC 7240; DESIGN 4
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Sequence
from functools import wraps
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from panel.api import idempotency
from panel.api.changeform import ChangeForm
from panel.choices import Source
from panel.models import Change
from panel.services.changes import acting, current_revision, pending_changes
from panel.services.live import wait_until_live
from panel.services.stores import lint_rows

Handler = Callable[..., Response]

WAIT_S, WAIT_LIMIT_S = 30.0, 60.0
WAITERS = 3  # of the 4 threads of a gunicorn process
CHANGES_SHOWN = 1000  # in the answer to a dry run
PENDING_LIMIT = 100
_waiting = threading.BoundedSemaphore(WAITERS)


def write(handler: Handler) -> Handler:
    """Makes a handler of a view a writing one."""

    @wraps(handler)
    def run(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        return _run(view, request, lambda: handler(view, request, *args, **kwargs))

    return run


def _run(view: Any, request: Request, handler: Callable[[], Response]) -> Response:
    dry = is_dry_run(request)
    key = None if dry else idempotency.key_of(request)
    timeout_s = None if dry else wait_of(request)
    with acting(request.user.get_username(), Source.API):
        record = idempotency.claim(request, key) if key else None
        if record is not None and record.status is not None:
            response = idempotency.replay(record)
            revisions: Sequence[int] = [int(record.headers["Waypost-Revision"])]
        else:
            before = set(_own_changes())  # empty, but where this is part of a larger transaction
            response = handler()
            made = [pk for pk in _own_changes() if pk not in before]
            if dry:
                response = _preview(response, made)
                transaction.set_rollback(True)
                return response
            revisions = _revisions(made)
            response["Waypost-Revision"] = str(revisions[0])
            if record is not None:
                idempotency.remember(record, response, getattr(view, "secret_fields", ()))
    if timeout_s is not None:
        wait_for_live(response, revisions, timeout_s)
    return response


def is_dry_run(request: Request) -> bool:
    """?dry_run=true. Raises ValidationError for anything but true and false."""
    text = request.query_params.get("dry_run", "false").lower()
    if text not in ("true", "false"):
        raise ValidationError({"dry_run": _("Say true or false.")})
    return text == "true"


def wait_of(request: Request) -> float | None:
    """The seconds to wait until it is live; None when nobody asked for that."""
    words = re.split(r"[,;]", request.headers.get("Prefer", ""))
    preferences = {
        name.strip().lower(): value.strip().strip('"')
        for name, _equals, value in (word.partition("=") for word in words)
    }
    if preferences.get("wait", "").lower() != "live":
        return None
    text = preferences.get("timeout", "")
    return min(float(text), WAIT_LIMIT_S) if re.fullmatch(r"\d{1,6}", text) else WAIT_S


def _own_changes() -> list[int]:
    """The ids of the change records that this transaction has written so far.

    They are at the end of the index of revisions. Asked for by "equal", the planner may take a
    revision with ten thousand records for the usual, and read the whole table instead.
    """
    mine = current_revision()
    found = Change.objects.filter(revision__gte=mine).order_by("pk").values_list("pk", "revision")
    return [pk for pk, revision in found if revision == mine]


def _revisions(made: Collection[int]) -> Sequence[int]:
    """The revision to answer, and what else must be live before the edit is."""
    if made:
        return [current_revision()]
    # Nothing to do: the rows are as wanted, but perhaps by an edit that is still on its way.
    pending = pending_changes().values_list("revision", flat=True).order_by("-revision").distinct()
    newest = Change.objects.aggregate(newest=Max("revision"))["newest"] or 0
    return list(pending[:PENDING_LIMIT]) or [newest]


def _preview(response: Response, made: Sequence[int]) -> Response:
    """What was done, before it is undone."""
    shown = Change.objects.filter(pk__in=made[:CHANGES_SHOWN]).order_by("pk")
    return Response(
        {
            "dry_run": True,
            "status": response.status_code,
            "result": response.data,
            "change_count": len(made),
            "changes": ChangeForm(shown, many=True).data,
            "lint": lint_rows().to_dict(),
        }
    )


def wait_for_live(response: Response, revisions: Sequence[int], timeout_s: float) -> None:
    """Waits, and says in the headers whether the revisions are live."""
    live = False
    if _waiting.acquire(blocking=False):
        try:
            live = wait_until_live(revisions, timeout_s)
        finally:
            _waiting.release()
    if live:
        response["Preference-Applied"] = "wait=live"
    else:
        response["Waypost-Live"] = "false"
