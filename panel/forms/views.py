"""views - forms of aliases, virtual entries, transports and access rules.

SOURCE       aliases(5), virtual(5), transport(5), access(5)
"""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from panel.forms.fields import LinesField
from panel.forms.rows import RowForm
from panel.models import AccessRule, Alias, Service, Transport, VirtualEntry

KEY_WIDGET = {"spellcheck": "false", "autocapitalize": "none", "autocomplete": "off"}
POSITION_LIMIT = 2**31 - 1  # fits the column
# services of master.cf that deliver mail (transport(5), master(5)); an installation may have others
TRANSPORTS = ("smtp", "lmtp", "local", "virtual", "relay", "pipe", "error", "retry", "discard")


class WellKnownForm(RowForm):
    """What the forms with a key and destinations have in common."""

    checked = ("table", "lookup_key", "key", "value")
    shown_as: ClassVar[dict[str, str]] = {NON_FIELD_ERRORS: "key", "lookup_key": "key"}
    key = forms.CharField(max_length=500, widget=UnfoldAdminTextInputWidget(KEY_WIDGET))
    value = LinesField(max_length=1024 * 1024)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "value" in self.fields:
            self.initial["value"] = self.instance.destinations


class AliasForm(WellKnownForm):
    """aliases(5)"""

    labels: ClassVar[dict[str, str | Promise]] = {"key": _("Name"), "value": _("Destinations")}
    helps: ClassVar[dict[str, str | Promise]] = {
        "key": _(
            "A local name without a domain, such as postmaster or sales. It stands for an address "
            "in every domain of kind local."
        ),
        "value": _(
            "One in each line: an address, another local name, /file/name to append to a file, "
            '"|command" to feed a program, or :include:/file/name for a list kept in a file.'
        ),
    }

    class Meta:
        model = Alias
        fields = ("key", "value", "enabled", "comment", "table")


class VirtualEntryForm(WellKnownForm):
    """virtual(5)"""

    labels: ClassVar[dict[str, str | Promise]] = {"key": _("Pattern"), "value": _("Destinations")}
    helps: ClassVar[dict[str, str | Promise]] = {
        "key": _(
            "user@example.com is one address. @example.com is every address of the domain that has "
            "no entry of its own. user without a domain matches in domains of kind local."
        ),
        "value": _(
            "One address in each line. @other.example keeps the part before the @ as it is. An "
            "address that stands for itself ends the look-up."
        ),
    }

    class Meta:
        model = VirtualEntry
        fields = ("key", "value", "enabled", "comment", "table")


class TransportForm(RowForm):
    """transport(5)"""

    checked = ("table", "lookup_key", "key", "value")
    shown_as: ClassVar[dict[str, str]] = {
        NON_FIELD_ERRORS: "key",
        "lookup_key": "key",
        "value": "nexthop",
    }
    labels: ClassVar[dict[str, str | Promise]] = {"key": _("Pattern")}
    helps: ClassVar[dict[str, str | Promise]] = {
        "key": _(
            "user@example.com, example.com, .example.com for its subdomains, or * for all mail."
        ),
    }

    key = forms.CharField(max_length=500, widget=UnfoldAdminTextInputWidget(KEY_WIDGET))
    transport = forms.CharField(
        label=_("Transport"),
        max_length=200,
        required=False,
        widget=UnfoldAdminTextInputWidget({**KEY_WIDGET, "list": "transports"}),
        help_text=_(
            "The service that delivers: smtp, lmtp, local, virtual, error, discard or another of "
            "Services. Empty: the transport that the mail would have without this entry."
        ),
    )
    nexthop = forms.CharField(
        label=_("Next hop"),
        max_length=2000,
        required=False,
        widget=UnfoldAdminTextInputWidget(KEY_WIDGET),
        help_text=_(
            "Where to: mail.example.com looks up MX records, [mail.example.com] does not, with "
            ":port after it where it is not the usual one. For error, the text that is said."
        ),
    )

    class Meta:
        model = Transport
        fields = ("key", "enabled", "comment", "table")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial.setdefault("transport", self.instance.transport)
            self.initial.setdefault("nexthop", self.instance.nexthop)

    def clean(self) -> dict[str, Any] | None:
        """Puts the two parts together before the row is read."""
        data = super().clean() or self.cleaned_data
        if "transport" in data and "nexthop" in data:
            self.instance.value = f"{data['transport'].strip()}:{data['nexthop'].strip()}"
        return data

    @staticmethod
    def transports() -> list[str]:
        """The names to choose from: the usual ones and the services of this installation."""
        own = Service.objects.exclude(type="inet").values_list("name", flat=True)[:200]
        return sorted({*TRANSPORTS, *own})


class AccessRuleForm(RowForm):
    """access(5)"""

    checked = ("lookup_key",)
    shown_as: ClassVar[dict[str, str]] = {NON_FIELD_ERRORS: "key", "lookup_key": "key"}
    labels: ClassVar[dict[str, str | Promise]] = {"key": _("Pattern"), "value": _("Action")}
    helps: ClassVar[dict[str, str | Promise]] = {
        "table": _("The access table that this rule is in; restriction lists name the table."),
        "key": _(
            "user@example.com, example.com, .example.com, user@, a host name, 192.0.2.1 or "
            "192.0.2; in a cidr table 192.0.2.0/24, in a regexp or pcre table /pattern/."
        ),
        "value": _(
            "OK, REJECT text, DUNNO (no opinion), DEFER_IF_PERMIT text, 550 5.7.1 text, HOLD, "
            "DISCARD, REDIRECT address, FILTER transport:nexthop, PREPEND header: text, or the "
            "name of a restriction or restriction class."
        ),
        "position": _("Rules of cidr, regexp and pcre tables are tried in this order."),
    }
    position = forms.IntegerField(
        label=_("Position"),
        required=False,
        min_value=0,
        max_value=POSITION_LIMIT,
        widget=UnfoldAdminIntegerFieldWidget(),
    )
    key = forms.CharField(
        max_length=8192, widget=UnfoldAdminTextInputWidget(KEY_WIDGET), strip=True
    )
    value = forms.CharField(
        max_length=10_000, required=False, widget=UnfoldAdminTextInputWidget(KEY_WIDGET)
    )

    class Meta:
        model = AccessRule
        fields = ("table", "key", "value", "position", "enabled", "comment")

    def clean_position(self) -> int:
        """Without a number: where it was, or the beginning."""
        return placed(self)


def placed(form: RowForm) -> int:
    """The position that was written, or the one that the row has."""
    position = form.cleaned_data["position"]
    return int(form.instance.position if position is None else position)
