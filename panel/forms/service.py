"""service - the form of one line of master.cf.

SOURCE       master(5)
"""

from __future__ import annotations

from typing import ClassVar

from django.core.exceptions import NON_FIELD_ERRORS
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from panel.forms.fields import PairsField
from panel.forms.rows import RowForm
from panel.models import Service


class ServiceForm(RowForm):
    """One service."""

    shown_as: ClassVar[dict[str, str]] = {NON_FIELD_ERRORS: "name"}
    helps: ClassVar[dict[str, str | Promise]] = {
        "private": _("Only services of this system may connect; always no for inet."),
        "unprivileged": _("It runs without the privileges of root, as the mail owner."),
        "chroot": _("It runs in the queue directory and sees nothing else. Kept, not used here."),
    }
    overrides = PairsField(
        label=_("Overrides"),
        required=False,
        help_text=_(
            "Parameters that have another value for this service, one in each line: name=value. "
            "In master.cf they are written -o name=value."
        ),
    )

    class Meta:
        model = Service
        fields = (
            "name",
            "type",
            "command",
            "enabled",
            "overrides",
            "maxproc",
            "wakeup",
            "private",
            "unprivileged",
            "chroot",
        )
