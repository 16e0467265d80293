"""parameter - the form of a setting: choose its name, see what it does, write its value.

RULES        the registry of tables/ is the one list of names; a parameter of one transport
             (slow_destination_rate_delay) and the values that others refer to may be written too
SOURCE       postconf(5)
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelect2Widget, UnfoldAdminTextareaWidget

from panel.forms.rows import RowForm
from panel.models import Parameter
from tables import parameters
from tables.parameters import ParameterType

TYPE_NAMES = {
    ParameterType.BOOL: gettext_lazy("yes or no"),
    ParameterType.INTEGER: gettext_lazy("a number"),
    ParameterType.SIZE: gettext_lazy("a number of bytes"),
    ParameterType.TIME: gettext_lazy("a time: 30s, 5m, 12h, 5d, 1w"),
    ParameterType.TEXT: gettext_lazy("text"),
    ParameterType.LIST: gettext_lazy("a list, with commas or blanks"),
    ParameterType.TABLES: gettext_lazy("a list of tables, each type:name, such as hash:virtual"),
    ParameterType.RESTRICTIONS: gettext_lazy("restrictions in order, with commas"),
    ParameterType.CHOICE: gettext_lazy("one word of a few"),
}


class ParameterForm(RowForm):
    """One line of main.cf."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=100,
        widget=UnfoldAdminSelect2Widget({"data-width": "100%"}),
        help_text=gettext_lazy("As in postconf(5). Type to search."),
    )
    value = forms.CharField(
        label=gettext_lazy("Value"),
        max_length=1024 * 1024,
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 3, "spellcheck": "false"}),
        help_text=gettext_lazy(
            "As in main.cf; $name stands for the value of another parameter. Empty sets it to "
            "nothing: remove the row to go back to the default."
        ),
    )

    class Meta:
        model = Parameter
        fields = ("name", "value")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "name" in self.fields:
            chosen = str(self.data.get(self.add_prefix("name")) or self.initial.get("name") or "")
            self.fields["name"].widget.choices = name_choices(chosen[:100])


def name_choices(chosen: str) -> list[tuple[str, Any]]:
    """All names that have no row yet, by group, and the chosen one."""
    taken = set(Parameter.objects.values_list("name", flat=True))
    groups: dict[str, list[tuple[str, str]]] = {group: [] for group in parameters.GROUPS}
    for name, parameter in sorted(parameters.REGISTRY.items()):
        if name not in taken or name == chosen:
            groups[parameter.group].append((name, name))
    choices: list[tuple[str, Any]] = [("", ""), *groups.items()]
    if chosen and chosen not in parameters.REGISTRY:
        choices.append((chosen, chosen))
    return choices


def described(name: str) -> dict[str, Any]:
    """What is shown of a parameter beside its form; {} of an unknown one."""
    parameter = parameters.find(name)
    if parameter is None:
        return {}
    type_name = str(TYPE_NAMES[parameter.type])
    if parameter.type is ParameterType.INTEGER and parameter.unit:
        type_name = f"{type_name} ({parameter.unit})"
    words = ("yes", "no") if parameter.type is ParameterType.BOOL else parameter.choices
    differs = ""
    if parameter.postfix_default is not None:
        differs = _("Postfix has %(default)s; here it differs because %(why)s.") % {
            "default": parameter.postfix_default or _("nothing"),
            "why": parameter.why or _("it is safer"),
        }
    return {
        "help": f"{parameter.help} {parameter.idle}".rstrip(),
        "type": type_name,
        "default": parameter.default,
        "words": [word for word in words if word],
        "machine": parameter.machine,
        "differs": differs,
    }
