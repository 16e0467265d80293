"""node - a host with an engine, and what is known about it.

RULES        a node is reached through the Celery worker on it, which listens on the queue
             node.<name>. `switched` is what its link points at; `generation` is what its engine
             said it runs: the node is live on that one.
"""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

NODE_NAME = r"^[a-z0-9][a-z0-9-]*$"


class Node(models.Model):
    """One engine host."""

    name = models.CharField(
        _("name"),
        max_length=60,
        unique=True,
        validators=[RegexValidator(NODE_NAME, _("Use small letters, digits and hyphens."))],
    )
    enabled = models.BooleanField(
        _("enabled"),
        default=True,
        db_default=True,
        help_text=_("A disabled node is told nothing, and nobody waits for it."),
    )
    description = models.CharField(
        _("description"), max_length=500, blank=True, default="", db_default=""
    )

    class Meta:
        ordering = ("name",)
        verbose_name = _("node")
        verbose_name_plural = _("nodes")
        constraints = [
            models.CheckConstraint(
                name="node_name_form", condition=models.Q(name__regex=NODE_NAME)
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def queue(self) -> str:
        """The Celery queue that this node's worker listens on."""
        return f"node.{self.name}"


class NodeState(models.Model):
    """What a node's worker last found; written by services/nodes.py only."""

    node = models.OneToOneField(
        Node, verbose_name=_("node"), on_delete=models.CASCADE, related_name="state"
    )
    switched = models.PositiveIntegerField(_("switched to"), null=True)
    generation = models.PositiveIntegerField(_("runs generation"), null=True)
    digest = models.CharField(_("digest"), max_length=64, default="", blank=True)
    acknowledged_at = models.DateTimeField(_("acknowledged"), null=True)
    engine_reachable = models.BooleanField(_("engine reachable"), default=False)
    error = models.TextField(_("error"), default="", blank=True)
    engine = models.JSONField(
        _("engine"), default=dict, blank=True, help_text=_("What the engine said of itself.")
    )
    checked_at = models.DateTimeField(_("checked"), null=True)

    class Meta:
        verbose_name = _("node state")
        verbose_name_plural = _("node states")

    def __str__(self) -> str:
        return f"{self.node_id}: {self.generation}"
