"""recording - the triggers that write change records.

SUMMARY      `triggers = recorded("mailbox", masked=("password",))` in a model's Meta
RULES        all triggers run the one function waypost_record_change(name, masked columns ...) of
             migration 0001, so bulk writes, raw SQL and TRUNCATE are seen as well as save().
             A write that alters nothing leaves no record.
SOURCE       PostgreSQL manual 43.10.1 (trigger functions), django-pgtrigger, decision 0003
"""

from __future__ import annotations

from typing import Any

import pgtrigger
from django.db import models


class Recorder(pgtrigger.Trigger):
    """Runs the shared function instead of one of its own, and cannot be told to look away."""

    def __init__(self, arguments: tuple[str, ...], **kwargs: Any) -> None:
        super().__init__(func="RETURN NULL;", **kwargs)  # unused: see render_execute
        self.arguments = arguments

    def render_execute(self, model: models.Model) -> str:
        """The function that the trigger executes, with its arguments."""
        return "waypost_record_change({})".format(", ".join(f"'{a}'" for a in self.arguments))


def recorded(name: str, *, masked: tuple[str, ...] = ()) -> list[pgtrigger.Trigger]:
    """The triggers of a published model; `name` is what its records and reports call it."""
    arguments = (name, *masked)
    return [
        Recorder(
            arguments,
            name="record_change",
            level=pgtrigger.Row,
            when=pgtrigger.After,
            operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
        ),
        Recorder(
            arguments,
            name="record_truncate",
            level=pgtrigger.Statement,
            when=pgtrigger.Before,
            operation=pgtrigger.Truncate,
        ),
    ]
