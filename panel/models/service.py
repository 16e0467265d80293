"""service - one line of master.cf with its overrides.

SOURCE       master(5)
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from panel.choices import ServiceType
from panel.models.recording import recorded


class Service(models.Model):
    """One service; what is not said has the default of master(5)."""

    name = models.CharField(
        _("name"),
        max_length=200,
        help_text=_("A port or host:port for inet (smtp, 587), a name for the others (relay)."),
    )
    type = models.CharField(
        _("type"), max_length=4, choices=ServiceType.choices, default=ServiceType.UNIX
    )
    private = models.BooleanField(_("private"), default=True, db_default=True)
    unprivileged = models.BooleanField(_("unprivileged"), default=True, db_default=True)
    chroot = models.BooleanField(_("chroot"), default=False, db_default=False)
    wakeup = models.CharField(
        _("wake up"),
        max_length=20,
        default="never",
        db_default="never",
        help_text=_("Seconds between wake-up calls, with ? for on demand; never."),
    )
    maxproc = models.PositiveIntegerField(
        _("process limit"),
        null=True,
        blank=True,
        help_text=_("0: no limit. Empty: $default_process_limit."),
    )
    command = models.CharField(
        _("command"), max_length=2000, help_text=_("The daemon and its arguments: smtpd, pipe ...")
    )
    overrides = models.JSONField(
        _("overrides"),
        default=dict,
        db_default={},
        blank=True,
        help_text=_("Parameters with other values for this service: -o name=value."),
    )
    enabled = models.BooleanField(_("enabled"), default=True, db_default=True)

    class Meta:
        ordering = ("type", "name")
        verbose_name = _("service")
        verbose_name_plural = _("services")
        constraints = [
            models.UniqueConstraint(
                fields=["name", "type"],
                name="service_unique",
                violation_error_message=_("There is a service of this name and type already."),
            ),
            models.CheckConstraint(
                name="service_type_known", condition=models.Q(type__in=ServiceType.values)
            ),
        ]
        triggers = recorded("service")

    def __str__(self) -> str:
        return f"{self.name}/{self.type}"  # as postconf -M says it
