"""The well-known tables, and the parameters that put them to use."""

from typing import Any

from django.db import migrations

# name = kind of the table, the parameter that names it
WELL_KNOWN = (
    ("aliases", "alias_maps", "Local names and their destinations, as in aliases(5)."),
    ("virtual", "virtual_alias_maps", "Addresses and what they stand for, as in virtual(5)."),
    ("transport", "transport_maps", "Which transport and next hop, as in transport(5)."),
)


def add(apps: Any, schema_editor: object) -> None:
    table = apps.get_model("panel", "Table")
    parameter = apps.get_model("panel", "Parameter")
    for name, parameter_name, description in WELL_KNOWN:
        table.objects.get_or_create(
            name=name, defaults={"type": "hash", "kind": name, "description": description}
        )
        parameter.objects.get_or_create(name=parameter_name, defaults={"value": f"hash:{name}"})


class Migration(migrations.Migration):
    dependencies = [("panel", "0001_initial")]
    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
