"""queue - a page of the mail queue as its engine tells it, and how much is in it.

SUMMARY      queue_page(control, after) -> for the template; counts_in_words(counts) -> one line
RULES        what an engine says comes from outsiders in part: it is shown as text, shortened
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _

from panel.services.engine import EngineControl, EngineError

PAGE = 100  # messages
RECIPIENTS = 20  # shown of one message
TEXT = 500  # characters of a reason
STATES = ("incoming", "active", "deferred", "hold", "corrupt")  # in the order of the line


def queue_page(control: EngineControl, after: str) -> dict[str, Any]:
    """For the template: messages, the place where the next page begins, or why there is none."""
    try:
        reply = control.queue(limit=PAGE, after=after)
    except EngineError as error:
        return {"messages_queued": [], "trouble": str(error), "next": ""}
    given = _list(reply.get("messages"))
    messages = [_message(each) for each in given if isinstance(each, dict)]
    more = bool(reply.get("more")) and bool(messages)
    return {
        "messages_queued": messages,
        "trouble": "",
        "next": messages[-1]["id"] if more else "",
    }


def counts_in_words(counts: Any) -> str:
    """Messages by what they wait for; "" when that is not known."""
    if not isinstance(counts, dict) or not counts:
        return ""
    names = sorted(counts, key=lambda name: (STATES.index(name) if name in STATES else 99, name))
    return ", ".join(f"{name} {counts[name]}" for name in names if counts[name]) or _("empty")


def _message(given: dict[str, Any]) -> dict[str, Any]:
    recipients = [each for each in _list(given.get("recipients")) if isinstance(each, dict)]
    return {
        "id": _text(given.get("id")),
        "sender": _text(given.get("sender")) or "<>",
        "size": given.get("size") if isinstance(given.get("size"), int) else 0,
        "arrived": as_time(given.get("arrived")),
        "state": _text(given.get("state")),
        "reason": _text(given.get("reason")),
        "attempts": given.get("attempts") if isinstance(given.get("attempts"), int) else 0,
        "next_attempt": as_time(given.get("next_attempt")),
        "recipients": [
            {
                "address": _text(each.get("address")),
                "status": _text(each.get("status")),
                "reason": _text(each.get("reason")),
            }
            for each in recipients[:RECIPIENTS]
        ],
        "more": max(0, len(recipients) - RECIPIENTS),
    }


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    text = "" if value is None else str(value)
    printable = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:TEXT])
    return printable + ("…" if len(text) > TEXT else "")


def as_time(value: Any) -> Any:
    """A time as the engine writes it: seconds since 1970, or RFC 3339; None when it is neither."""
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        read = datetime.fromisoformat(str(value)) if value else None
        return read.replace(tzinfo=UTC) if read and read.tzinfo is None else read
    except (ValueError, OverflowError, OSError):
        return None
