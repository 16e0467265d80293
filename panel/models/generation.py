"""generation - one publish: what it contains, what it said, whether it succeeded.

RULES        numbers grow and are never used again. `snapshot` tells which changes were taken into
             account (decision 0002), of a refused publish too: it is not tried again until a row
             changes; a failed one is. A publish that changes nothing makes no generation, it moves
             the snapshot of the newest one on.
             `revision`: every change with this revision or an earlier one is contained; later ones
             may be.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from panel.choices import GenerationState


class Generation(models.Model):
    """One attempt to publish."""

    number = models.PositiveIntegerField(_("number"), unique=True)
    state = models.CharField(
        _("state"),
        max_length=10,
        choices=GenerationState.choices,
        default=GenerationState.BUILDING,
    )
    revision = models.BigIntegerField(_("revision"), null=True)
    snapshot = models.TextField(_("snapshot"), default="", blank=True)
    cluster = models.CharField(
        _("cluster"),
        max_length=20,
        default="",
        blank=True,
        help_text=_("The database cluster whose transactions the snapshot speaks of."),
    )
    digest = models.CharField(_("digest"), max_length=64, default="", blank=True)
    counts = models.JSONField(_("counts"), default=dict, blank=True)
    report = models.JSONField(
        _("report"),
        default=dict,
        blank=True,
        help_text=_("Warnings and errors, each with the row that it is about."),
    )
    reason = models.CharField(_("reason"), max_length=200, default="", blank=True)
    requested_by = models.CharField(_("requested by"), max_length=150, default="", blank=True)
    started = models.DateTimeField(_("started"), db_default=Now())
    finished = models.DateTimeField(_("finished"), null=True)

    class Meta:
        ordering = ("-number",)
        verbose_name = _("generation")
        verbose_name_plural = _("generations")
        constraints = [
            models.CheckConstraint(
                name="generation_state_known",
                condition=models.Q(state__in=GenerationState.values),
            ),
            models.CheckConstraint(
                name="generation_published_whole",
                condition=~models.Q(state=GenerationState.PUBLISHED)
                | ~models.Q(digest="") & ~models.Q(snapshot=""),
            ),
        ]
        indexes = [models.Index(fields=["state", "-number"], name="generation_state")]

    def __str__(self) -> str:
        return str(self.number)

    @property
    def duration(self) -> timedelta | None:
        """How long it took; None while it is at work."""
        return self.finished - self.started if self.finished else None

    @classmethod
    def newest(cls) -> Generation | None:
        """The generation that nodes should run."""
        return cls.objects.filter(state=GenerationState.PUBLISHED).first()
