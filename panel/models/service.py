"""service - one line of master.cf with its overrides.

RULES        what is not said has the default of master(5); the overrides are parameters with other
             values for this service alone, -o name=value
             the standard services (tables.services.STANDARD) run without a row; one that is not
             enabled switches its service off
SOURCE       decision 0008; master(5)
"""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from panel.choices import ServiceType
from panel.models.recording import recorded
from panel.models.restriction import class_names
from tables import parameters, services
from tables.errors import TableError


class Service(models.Model):
    """One service."""

    name = models.CharField(
        _("name"),
        max_length=200,
        help_text=_("A port or host:port for inet (smtp, 587), a name for the others (relay)."),
    )
    type = models.CharField(
        _("type"), max_length=10, choices=ServiceType.choices, default=ServiceType.UNIX
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

    @property
    def record(self) -> services.Service:
        """The service as the engine reads it."""
        return services.Service(
            name=self.name,
            type=self.type,
            command=self.command,
            private=self.private,
            unprivileged=self.unprivileged,
            chroot=self.chroot,
            wakeup=self.wakeup,
            maxproc=services.DEFAULT_MAXPROC if self.maxproc is None else self.maxproc,
            overrides=dict(self.overrides),
        )

    def clean(self) -> None:
        """Has the reader of master.cf look at the line, and the registry at each override."""
        self.name, self.command = self.name.strip(), self.command.strip()
        overrides = self.overrides
        if not isinstance(overrides, dict) or not all(
            isinstance(value, str) for value in overrides.values()
        ):
            raise ValidationError({"overrides": _('Give names and texts: {"name": "value"}.')})
        try:
            services.check_service(self.record)
        except TableError as error:
            raise ValidationError(str(error)) from error
        own_names = class_names()
        for name, value in overrides.items():
            try:
                parameters.check(name, value, own_names=own_names)
            except TableError as error:
                raise ValidationError({"overrides": f"{name}: {error}"}) from error
