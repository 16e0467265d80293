"""recording - the triggers that write change records.

SUMMARY      `triggers = recorded("mailbox", masked=("password",))` in a model's Meta
RULES        all triggers run the one function waypost_record_change(name, masked columns ...) of
             the migrations, so bulk writes, raw SQL and TRUNCATE are seen as well as save().
             They run once for each statement and record its rows together: 100,000 rows in one
             statement cost a third of what a trigger for each row does.
             A write that alters nothing leaves no record.
SOURCE       PostgreSQL manual 43.10.1 (trigger functions), django-pgtrigger, decision 0003
"""

from __future__ import annotations

from typing import Any

import pgtrigger
from django.db import models

REFERENCING: Any = pgtrigger.Referencing  # it has no types
# what the function calls the rows of a statement
ROWS = {
    pgtrigger.Insert: REFERENCING(new="new_rows"),
    pgtrigger.Update: REFERENCING(old="old_rows", new="new_rows"),
    pgtrigger.Delete: REFERENCING(old="old_rows"),
}


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
    # One for each operation: a trigger that looks at the statement's rows may have no other.
    return [
        *(
            Recorder(
                arguments,
                name=f"record_{operation}".lower(),
                level=pgtrigger.Statement,
                when=pgtrigger.After,
                operation=operation,
                referencing=rows,
            )
            for operation, rows in ROWS.items()
        ),
        Recorder(
            arguments,
            name="record_truncate",
            level=pgtrigger.Statement,
            when=pgtrigger.Before,
            operation=pgtrigger.Truncate,
        ),
    ]
