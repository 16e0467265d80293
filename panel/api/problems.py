"""problems - every error of the API as a problem document.

SUMMARY      answer(exception, context) is the REST framework's exception handler; raise
             Problem(status, detail, errors=[...]) for what the framework has no exception for
RULES        {"type", "title", "status", "detail", "errors": [{"field", "message"}]}; the field is
             named as the client knows it, with its place in lists ("members.2.name"); in bulk edits
             "index" is the place of the operation. What the client sent comes back shortened only.
             What nobody foresaw is one log line with a traceback, and says nothing to the client.
SOURCE       RFC 9457; RFC 9110 15.5; PostgreSQL manual, appendix A (SQLSTATE)
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as ModelError
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.db.models.deletion import ProtectedError, RestrictedError
from django.http import Http404
from django.http.request import UnreadablePostError
from django.utils.translation import gettext as _
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.fields import get_error_detail
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

log = logging.getLogger("panel.api")

MEDIA_TYPE = "application/problem+json"
MESSAGE_LIMIT = 500  # characters
FIELD_LIMIT = 100
ERRORS_LIMIT = 100
RETRY_AFTER_S = 1

Errors = Sequence[dict[str, Any]]


class Problem(APIException):
    """An answer that is not the one asked for."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Errors = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status_code = status
        self.errors = errors
        self.headers = headers or {}


def answer(exception: Exception, context: dict[str, Any]) -> Response:
    """The problem document for whatever a view raised."""
    problem = as_problem(exception)
    request = context.get("request")
    if request is not None:  # whatever the view would have answered in
        request.accepted_renderer = JSONRenderer()
        request.accepted_media_type = JSONRenderer.media_type
    status = HTTPStatus(problem.status_code)
    document = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": str(problem.detail)[:MESSAGE_LIMIT],
        "errors": list(problem.errors)[:ERRORS_LIMIT],
    }
    return Response(document, status, headers=problem.headers, content_type=MEDIA_TYPE)


def as_problem(exception: Exception) -> Problem:
    """What to say of an exception."""
    match exception:
        case Problem():
            return exception
        case ValidationError():
            return validation_problem(exception)
        case ModelError():  # a filter's value, read by a parser of tables/
            return validation_problem(ValidationError(get_error_detail(exception)))
        case APIException():
            return _framework_problem(exception)
        case Http404():
            return Problem(404, _("There is nothing under this address."))
        case PermissionDenied():
            return Problem(403, _("You may not do this."))
        case RequestDataTooBig():
            return Problem(413, _("The body is too large."))
        case SuspiciousOperation() | UnreadablePostError():
            return Problem(400, _("The request cannot be read."))
        case ProtectedError() | RestrictedError():
            return Problem(409, _in_use(exception))
        case IntegrityError() | DataError() | OperationalError() | InterfaceError():
            return _database_problem(exception)
    log.error("%s", type(exception).__name__, exc_info=exception)
    return Problem(500, _("Something went wrong here; the log of the panel says what."))


def validation_problem(exception: ValidationError) -> Problem:
    """400 with an error for each field."""
    errors = list(flatten(exception.detail))
    return Problem(400, _detail_of(errors), errors=errors)


def conflict(errors: Errors) -> Problem:
    """409: another row has what may be there only once."""
    return Problem(409, _detail_of(errors), errors=errors)


def _detail_of(errors: Errors) -> str:
    first = errors[0] if errors else {"field": "", "message": _("The request is not valid.")}
    return f"{first['field']}: {first['message']}" if first["field"] else str(first["message"])


def flatten(detail: Any, path: str = "") -> Iterator[dict[str, str]]:
    """The framework's nested errors, one by one, with the path of each."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            word = "" if name == "non_field_errors" else str(name)[:FIELD_LIMIT]
            yield from flatten(inner, ".".join(part for part in (path, word) if part))
    elif isinstance(detail, list):
        for place, inner in enumerate(detail):
            # a list of texts belongs to its field, a list of objects to its items
            deeper = f"{path}.{place}" if isinstance(inner, dict | list) else path
            yield from flatten(inner, deeper)
    else:
        yield {"field": path, "message": str(detail)[:MESSAGE_LIMIT]}


def _framework_problem(exception: APIException) -> Problem:
    """With the headers that the framework's own handler would set."""
    headers = {}
    if challenge := getattr(exception, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if (wait_s := getattr(exception, "wait", None)) is not None:
        headers["Retry-After"] = str(int(wait_s))
    return Problem(exception.status_code, str(exception.detail), headers=headers)


def _in_use(exception: ProtectedError | RestrictedError) -> str:
    if isinstance(exception, ProtectedError):
        rows = exception.protected_objects
    else:
        rows = exception.restricted_objects
    names = ", ".join(sorted(f"{row._meta.verbose_name} {row}" for row in list(rows)[:5]))
    return _("This is in use by: %s. Remove it there first.") % names


def _database_problem(exception: Exception) -> Problem:
    """What came through clean() and was stopped by a constraint, or a database that is away."""
    cause = exception.__cause__
    state = getattr(cause, "sqlstate", None) or ""
    diagnosis = getattr(cause, "diag", None)
    said = getattr(diagnosis, "message_primary", None) or ""
    match state:
        case "23505":
            return Problem(409, _("Another row has this key already."))
        case "23503":
            return Problem(409, _("A row that this refers to is gone, or this is still in use."))
    if isinstance(exception, IntegrityError | DataError):
        return Problem(400, _("The database refuses this: %s.") % said)
    log.warning("database: %s", str(exception).strip())
    return Problem(
        503,
        _("The database is busy or away; try again."),
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )
