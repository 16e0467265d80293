"""restriction - forms of restriction lists and their members.

RULES        a member is chosen from the one list of restrictions (tables.restrictions) and the
             classes of this installation. New members without a position come last, in the order
             in which they stand on the page.
SOURCE       postconf(5), SMTPD_ACCESS_README
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from panel.forms.rows import RowForm
from panel.forms.views import KEY_WIDGET
from panel.models import Restriction, RestrictionList
from tables import restrictions
from tables.restrictions import Argument

if TYPE_CHECKING:
    InlineFormSet = forms.BaseInlineFormSet[Restriction, RestrictionList, Any]
else:
    from unfold.forms import PaginationInlineFormSet as InlineFormSet

ARGUMENTS = {
    Argument.NONE: gettext_lazy("It needs nothing more."),
    Argument.TABLE: gettext_lazy("Choose a table, or write one as argument: static:OK."),
    Argument.DOMAIN: gettext_lazy("Argument: a DNS list such as list.example.com."),
    Argument.SERVICE: gettext_lazy("Argument: a policy service such as inet:127.0.0.1:10023."),
    Argument.NUMBER: gettext_lazy("Argument: a number of seconds."),
}
GROUPS = (
    (gettext_lazy("Permit"), ("permit",)),
    (gettext_lazy("Refuse"), ("reject", "defer")),
    (gettext_lazy("Ask a table or a service"), ("check_",)),
)


def restriction_choices(classes: list[str]) -> list[tuple[str, Any]]:
    """All restrictions by what they do, then the classes."""
    left = dict.fromkeys(sorted(restrictions.RESTRICTIONS))
    groups: list[tuple[str, Any]] = [("", _("Choose …"))]
    for title, beginnings in GROUPS:
        names = [name for name in left if name.startswith(beginnings)]
        groups.append((str(title), [(name, name) for name in names]))
        left = dict.fromkeys(name for name in left if name not in names)
    groups.append((_("Other"), [(name, name) for name in left]))
    if classes:
        groups.append((_("Restriction classes"), [(name, name) for name in classes]))
    return groups


def restriction_helps() -> dict[str, str]:
    """name -> what it does and what it needs, for the page."""
    return {
        name: f"{known.help} {ARGUMENTS[known.argument]}"
        for name, known in restrictions.RESTRICTIONS.items()
    }


class RestrictionForm(RowForm):
    """One member."""

    position = forms.IntegerField(
        label=gettext_lazy("Order"),
        required=False,
        min_value=0,
        max_value=2**31 - 1,
        widget=UnfoldAdminIntegerFieldWidget({"style": "width: 4.5rem; min-width: 4.5rem"}),
    )
    name = forms.CharField(
        label=gettext_lazy("Restriction"), max_length=100, widget=UnfoldAdminSelectWidget()
    )
    argument = forms.CharField(
        label=gettext_lazy("Argument"),
        max_length=500,
        required=False,
        widget=UnfoldAdminTextInputWidget(KEY_WIDGET),
    )

    class Meta:
        model = Restriction
        fields = ("position", "name", "table", "argument", "warn_if_reject")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None:
            self.initial["position"] = None

    def clean_position(self) -> int:
        """Without a number: after all others."""
        position = self.cleaned_data["position"]
        return self.instance.position if position is None else int(position)


class RestrictionFormSet(InlineFormSet):
    """The members of one list."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = RestrictionList.objects.filter(is_class=True).order_by("name")
        self.choices = restriction_choices(list(names.values_list("name", flat=True)))

    def add_fields(self, form: Any, index: int | None) -> None:
        """Gives every form the same choices, and the name that it has now."""
        super().add_fields(form, index)
        if "name" not in form.fields:
            return
        chosen = str(form.data.get(form.add_prefix("name")) or form.instance.name)[:100]
        choices = list(getattr(self, "choices", []))
        known = {name for _title, names in choices if isinstance(names, list) for name, _ in names}
        if chosen and chosen not in known:
            choices.append((chosen, chosen))
        form.fields["name"].widget.choices = choices

    def save(self, commit: bool = True) -> Any:
        """Numbers the members 1, 2, 3 ... as they were put in order."""
        kept = [form for form in self.forms if form.has_changed() or form.instance.pk]
        kept = [form for form in kept if form not in self.deleted_forms]
        for number, form in enumerate(sorted(kept, key=_place), start=1):
            if form.instance.position != number:
                form.instance.position = number
                if form.instance.pk and not form.has_changed():
                    form.instance.save(update_fields=["position"])
        return super().save(commit=commit)


def _place(form: Any) -> tuple[bool, int, int]:
    """New members without a number come last; equal numbers stay in the order of the page."""
    given = form.data.get(form.add_prefix("position"), "")
    is_new = form.instance.pk is None and not str(given).strip()
    number = int(form.prefix.rpartition("-")[2])
    return is_new, form.instance.position, number


class RestrictionListForm(RowForm):
    """A list: its name decides when it is asked."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=100,
        validators=[
            RegexValidator(
                r"^[A-Za-z0-9_.-]+$",
                gettext_lazy("Use letters, digits, dots, hyphens and underscores, without spaces."),
            )
        ],
        widget=UnfoldAdminTextInputWidget({**KEY_WIDGET, "list": "restriction-lists"}),
        help_text=gettext_lazy(
            "smtpd_recipient_restrictions or one of its like: it is asked at that stage of the "
            "SMTP dialogue. A restriction class has a name of your own."
        ),
    )

    class Meta:
        model = RestrictionList
        fields = ("name", "is_class", "description")
