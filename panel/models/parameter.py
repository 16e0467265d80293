"""parameter - one line of main.cf: a name of postconf(5) and its value in Postfix text.

RULES        a parameter without a row has its default. Values may use $name. The lists
             smtpd_..._restrictions are edited as restriction lists instead, where one exists.
SOURCE       postconf(5)
"""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from panel.constants import PARAMETER_NAME_LENGTH, VALUE_LENGTH
from panel.models.recording import recorded
from panel.models.restriction import RestrictionList, class_names
from panel.models.table import SECRET_KINDS, Table
from panel.validators import check_parameter
from tables import sizelimits, specs
from tables.errors import TableError
from tables.itemtext import split_items
from tables.parameters import Parameters


class Parameter(models.Model):
    """One setting."""

    name = models.CharField(
        _("name"),
        max_length=PARAMETER_NAME_LENGTH,
        unique=True,
        help_text=_("As in postconf(5), for example myhostname."),
    )
    value = models.TextField(
        _("value"),
        max_length=VALUE_LENGTH,
        blank=True,
        help_text=_("As in main.cf. Empty sets it to nothing; remove the row for the default."),
    )

    class Meta:
        ordering = ("name",)
        verbose_name = _("parameter")
        verbose_name_plural = _("parameters")
        constraints = [
            models.CheckConstraint(
                name="parameter_name_form",
                condition=models.Q(name__regex=r"^[A-Za-z0-9_.-]+$"),
            ),
        ]
        triggers = recorded("parameter")

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Has the registry read the value."""
        self.name, self.value = self.name.strip(), self.value.strip()
        if RestrictionList.objects.filter(name=self.name).exists():
            raise ValidationError(
                {
                    "name": _(
                        "%s is set by the restriction list of that name: edit the list, or remove "
                        "it first."
                    )
                    % self.name
                }
            )
        check_parameter(self.name, self.value, own_names=class_names())
        if self.name in specs.PASSWORD_MAPS:
            self._check_password_tables()
        if self.name in ("message_size_limit", *sizelimits.LIMITS.values()):
            self._check_size_limits()

    def _check_size_limits(self) -> None:
        """Refuses limits with which an agent would deliver nothing."""
        others = Parameter.objects.exclude(pk=self.pk).values_list("name", "value")
        parameters = Parameters({**dict(others), self.name: self.value})
        for daemon, name in sizelimits.LIMITS.items():
            if self.name not in (name, "message_size_limit"):
                continue
            try:
                problem = sizelimits.conflict(parameters, daemon)
            except TableError:
                continue  # another row is wrong
            if problem:
                message = _("%(daemon)s(8) would deliver nothing: %(problem)s.")
                raise ValidationError({"value": message % {"daemon": daemon, "problem": problem}})

    def _check_password_tables(self) -> None:
        """Refuses tables whose values are shown. Lint sees those that are named later."""
        references = [item for item in split_items(self.value) if specs.is_reference(item)]
        names = [specs.parse_reference(item).name for item in references]
        table = Table.objects.filter(name__in=names).exclude(kind__in=SECRET_KINDS).first()
        if table is not None:
            raise ValidationError(
                {
                    "value": _(
                        "%(table)s is a table of the kind %(kind)s: make it one of the kind "
                        "passwords first, so that its values are shown to nobody."
                    )
                    % {"table": table.reference, "kind": table.kind}
                }
            )
