"""bodies - reads request bodies: JSON, bounded in size and depth.

RULES        a view says how much it takes (`body_limit`), else BODY_LIMIT. Refused: other encodings
             than UTF-8, NaN and Infinity, a name twice in one object, half of a surrogate pair, and
             values nested deeper than any of ours. Before it is read: more than VALUES_LIMIT
             values, each of which takes far more memory than its text.
ERRORS       400, 413
SOURCE       RFC 8259; RFC 7493 (I-JSON) 2.1 - 2.3
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

from django.utils.translation import gettext as _
from rest_framework.parsers import BaseParser

from panel.api.problems import Problem
from panel.constants import VALUE_LENGTH

BODY_LIMIT = 2 * VALUE_LENGTH  # bytes
BULK_BODY_LIMIT = 32 * 1024 * 1024  # bytes
VALUES_LIMIT = 2_000_000  # twenty for each of the most operations that a bulk edit can have
DEPTH_LIMIT = 8  # a bulk edit of restriction lists has 4


class JsonBody(BaseParser):
    """application/json"""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """The value of the body. Raises Problem."""
        text = read_text(stream, parser_context or {}, marks=",[{")
        try:
            value = json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise Problem(400, _("The body is not JSON: %s.") % _reason(error)) from error
        _look_through(value)
        return value


def read_text(stream: IO[Any], context: Mapping[str, Any], *, marks: str) -> str:
    """The body, at most as long as the view takes; each value but one needs one of the marks.

    Those that stand inside of texts are counted along. Raises Problem.
    """
    limit = getattr(context.get("view"), "body_limit", BODY_LIMIT)
    raw = _read(stream, context["request"].META.get("CONTENT_LENGTH") or "0", limit)
    if sum(raw.count(mark.encode()) for mark in marks) > VALUES_LIMIT:
        message = _("The body has more than %d values. Send it in several requests.")
        raise Problem(413, message % VALUES_LIMIT)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Problem(400, _("The body is not UTF-8.")) from error


def _read(stream: IO[Any], declared: str, limit: int) -> bytes:
    too_large = Problem(413, _("The body is larger than %d bytes.") % limit)
    if declared.isdigit() and int(declared) > limit:
        raise too_large
    raw: bytes = stream.read(limit + 1)
    if len(raw) > limit:
        raise too_large
    return raw


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return _("it is nested too deeply")
    return str(error)[:200]


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice in one object")
    return found


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is not a number")


def _look_through(value: Any) -> None:
    """Raises Problem where the value is too deep or holds text that is none."""
    level = [value]
    for _depth in range(DEPTH_LIMIT):
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                below += each
                below += each.values()
            elif isinstance(each, list):
                below += each
            elif isinstance(each, str) and not each.isascii():
                _must_be_text(each)
        level = below
        if not level:
            return
    raise Problem(400, _("The body is nested too deeply."))


def _must_be_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Problem(400, _("The body holds half of a surrogate pair.")) from error
