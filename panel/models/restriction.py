"""restriction - the ordered lists that decide about clients, senders and recipients.

SUMMARY      RestrictionList(name) is smtpd_recipient_restrictions and its like or, with is_class, a
             restriction class; Restriction is one member: name, argument or table, in order
RULES        compiled into parameters as Postfix text (decision 0001). The argument is text
             ("zen.spamhaus.org") or a table ("hash:access"), never both.
SOURCE       SMTPD_ACCESS_README, RESTRICTION_CLASS_README
"""

from __future__ import annotations

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from panel.constants import PARAMETER_NAME_LENGTH
from panel.models.recording import recorded
from panel.models.table import Table
from panel.validators import as_restriction, check_restriction_list


class RestrictionList(models.Model):
    """One list."""

    name = models.CharField(
        _("name"),
        max_length=PARAMETER_NAME_LENGTH,
        unique=True,
        help_text=_("smtpd_recipient_restrictions or its like, or the name of a class."),
    )
    is_class = models.BooleanField(
        _("restriction class"),
        default=False,
        db_default=False,
        help_text=_("A named list that other lists and access rules can refer to."),
    )
    description = models.CharField(
        _("description"), max_length=500, blank=True, default="", db_default=""
    )

    class Meta:
        ordering = ("is_class", "name")
        verbose_name = _("restriction list")
        verbose_name_plural = _("restriction lists")
        constraints = [
            models.CheckConstraint(
                name="restriction_list_name_form",
                condition=models.Q(name__regex=r"^[A-Za-z0-9_.-]+$"),
            ),
        ]
        triggers = recorded("restrictionlist")

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """A list has a name of postconf(5), a class one that nothing else has."""
        self.name = self.name.strip()
        check_restriction_list(self.name, is_class=self.is_class)
        if apps.get_model("panel", "Parameter").objects.filter(name=self.name).exists():
            raise ValidationError(
                {"name": _("The parameter %s is set: remove it to have a list.") % self.name}
            )


def class_names() -> frozenset[str]:
    """The names of all restriction classes."""
    return frozenset(RestrictionList.objects.filter(is_class=True).values_list("name", flat=True))


class Restriction(models.Model):
    """One member of a list."""

    list = models.ForeignKey(
        RestrictionList, verbose_name=_("list"), on_delete=models.CASCADE, related_name="members"
    )
    position = models.PositiveIntegerField(_("position"), default=0, db_default=0)
    name = models.CharField(
        _("restriction"),
        max_length=PARAMETER_NAME_LENGTH,
        help_text=_("As in postconf(5), for example reject_unauth_destination, or a class."),
    )
    argument = models.CharField(
        _("argument"),
        max_length=500,
        blank=True,
        default="",
        db_default="",
        help_text=_("What the restriction asks for: a DNS list, a number of seconds, a class."),
    )
    table = models.ForeignKey(
        Table,
        verbose_name=_("table"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="restrictions",
        help_text=_("The table that a check_..._access restriction asks."),
    )
    warn_if_reject = models.BooleanField(
        _("only warn"),
        default=False,
        db_default=False,
        help_text=_("warn_if_reject: log what this restriction would reject, and go on."),
    )

    class Meta:
        ordering = ("list", "position", "id")
        verbose_name = _("restriction")
        verbose_name_plural = _("restrictions")
        constraints = [
            models.CheckConstraint(
                name="restriction_name_form",
                condition=models.Q(name__regex=r"^[A-Za-z0-9_:.-]+$"),
            ),
            models.CheckConstraint(
                name="restriction_one_argument",
                condition=models.Q(argument="") | models.Q(table__isnull=True),
                violation_error_message=_("Give a table or an argument, not both."),
            ),
        ]
        indexes = [models.Index(fields=["list", "position"], name="restriction_order")]
        triggers = recorded("restriction")

    def __str__(self) -> str:
        return self.text

    @property
    def argument_text(self) -> str:
        """The argument in Postfix words, whichever way it was given."""
        return self.table.reference if self.table else self.argument

    @property
    def text(self) -> str:
        """The member as it stands in main.cf."""
        words = ("warn_if_reject" if self.warn_if_reject else "", self.name, self.argument_text)
        return " ".join(word for word in words if word)

    def clean(self) -> None:
        """Asks the one list of restrictions whether there is such a one, with such an argument."""
        self.name, self.argument = self.name.strip(), self.argument.strip()
        if self.argument and self.table:
            raise ValidationError({"argument": _("Give a table or an argument, not both.")})
        call = as_restriction(self.name, self.argument_text, classes=class_names())
        if call.warn_if_reject:
            raise ValidationError({"name": _("Choose the restriction, and tick “only warn”.")})
        self.name = call.name
