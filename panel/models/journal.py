"""journal - what the engines decided and did, shipped here from their own journals.

SUMMARY      JournalEvent: one line of a node's journal; JournalPosition: how far it was shipped
RULES        mail never waits for this: the engine writes files, the node's worker ships them; each
             line is stored once: events and position are written in one transaction.
             `queue_id` ties the events of one message together; a refusal at RCPT has none.
SOURCE       delivery/journal.py, docs/OVERVIEW.md
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from panel.models.node import Node


class JournalEvent(models.Model):
    """One thing that happened to a message or recipient."""

    node = models.ForeignKey(
        Node, verbose_name=_("node"), on_delete=models.CASCADE, related_name="events"
    )
    at = models.DateTimeField(_("when"))
    event = models.CharField(
        _("event"),
        max_length=40,
        help_text=_("accepted, rejected, delivered, deferred, bounced, expired, reported."),
    )
    queue_id = models.CharField(_("queue id"), max_length=40, blank=True, default="")
    sender = models.CharField(_("sender"), max_length=1000, blank=True, default="")
    recipient = models.CharField(_("recipient"), max_length=1000, blank=True, default="")
    generation = models.PositiveIntegerField(
        _("generation"), null=True, help_text=_("The generation that decided.")
    )
    details = models.JSONField(_("details"), default=dict)

    class Meta:
        ordering = ("-at", "-id")
        verbose_name = _("message event")
        verbose_name_plural = _("message log")
        indexes = [
            models.Index(fields=["-at", "-id"], name="journal_at"),
            models.Index(fields=["queue_id", "at"], name="journal_queue_id"),
            models.Index(
                fields=["recipient", "-at"],
                name="journal_recipient",
                opclasses=["text_pattern_ops", "timestamptz_ops"],
            ),
            models.Index(
                fields=["sender", "-at"],
                name="journal_sender",
                opclasses=["text_pattern_ops", "timestamptz_ops"],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.queue_id} {self.recipient}".strip()


class JournalPosition(models.Model):
    """How many bytes of one journal file of a node are stored."""

    node = models.ForeignKey(Node, on_delete=models.CASCADE, related_name="positions")
    file = models.CharField(max_length=100)
    offset = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = _("journal position")
        verbose_name_plural = _("journal positions")
        constraints = [
            models.UniqueConstraint(fields=["node", "file"], name="journal_position_unique")
        ]

    def __str__(self) -> str:
        return f"{self.node_id} {self.file} {self.offset}"
