"""change - who changed which row, when, from what to what.

RULES        written by database triggers only (recording.py); the panel never writes one.
             `revision` is the number of the writing transaction; a change is in a generation
             exactly when pg_visible_in_snapshot(revision, generation.snapshot): decision 0002.
             Passwords, of mailboxes and in tables of secret kinds, appear as "***".
"""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from panel.choices import Operation, Source


class Change(models.Model):
    """One row's change in one statement."""

    model = models.CharField(_("what"), max_length=40, help_text=_("The kind of row: mailbox ..."))
    row = models.BigIntegerField(_("row"), help_text=_("The row's id."))
    operation = models.CharField(_("operation"), max_length=6, choices=Operation.choices)
    before = models.JSONField(_("before"), null=True)
    after = models.JSONField(_("after"), null=True)
    actor = models.CharField(_("who"), max_length=150)
    source = models.CharField(_("by way of"), max_length=10, choices=Source.choices)
    at = models.DateTimeField(_("when"), db_default=Now())
    revision = models.BigIntegerField(_("revision"), help_text=_("The transaction that wrote it."))

    class Meta:
        ordering = ("-id",)
        verbose_name = _("change")
        verbose_name_plural = _("changes")
        indexes = [
            models.Index(fields=["revision"], name="change_revision"),
            models.Index(fields=["model", "row", "-id"], name="change_row"),
            models.Index(fields=["-at"], name="change_at"),
            models.Index(fields=["actor", "-id"], name="change_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.model}:{self.row} {self.get_operation_display()}"

    @property
    def differences(self) -> dict[str, tuple[object, object]]:
        """column -> (before, after) of what differs; all columns of a row added or removed."""
        before, after = self.before or {}, self.after or {}
        names = [*before, *(name for name in after if name not in before)]
        return {
            name: (before.get(name), after.get(name))
            for name in names
            if before.get(name) != after.get(name)
        }
