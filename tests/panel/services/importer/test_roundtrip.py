"""Import, export, import: the rows are the same, and a stock Postfix reads the files.

Every recorded configuration is tried, where recordings are at hand: tests/recordings.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from panel.models import Entry, Parameter, Restriction, RestrictionList, Service, Table
from panel.services.changes import acting
from panel.services.importer import import_directory
from panel.services.stores import lint_rows
from tests.panel.stockpostfix import HAS_POSTFIX, accepts, understands
from tests.recordings import SCENARIOS, Scenario, load, needs_recordings, write_configuration


def rows() -> Iterator[tuple[Any, ...]]:
    """All rows of the Postfix layer, as values."""
    yield from Parameter.objects.values_list("name", "value")
    for name, is_class in RestrictionList.objects.values_list("name", "is_class"):
        yield name, is_class
    for member in Restriction.objects.select_related("list", "table"):
        yield member.list.name, member.position, member.text, member.table_id is not None
    for service in Service.objects.all():
        fields = ("private", "unprivileged", "chroot", "wakeup", "maxproc", "command", "enabled")
        values = (str(getattr(service, field)) for field in fields)
        yield service.name, service.type, *values, *sorted(service.overrides.items())
    yield from Table.objects.values_list("name", "type", "kind")
    entries = Entry.objects.select_related("table").order_by("table", "position", "id")
    numbers: dict[str, int] = {}
    for entry in entries:
        name = entry.table.name
        numbers[name] = numbers.get(name, 0) + entry.table.is_ordered
        yield name, numbers[name], entry.lookup_key or entry.key, entry.value


def bring_in(directory: Path, *, old_defaults: bool | None = None) -> set[tuple[Any, ...]]:
    with acting("import_postfix"):
        import_directory(directory, replace=True, old_defaults=old_defaults)
    return set(rows())


def answers(scenario: Scenario) -> set[int | None]:
    """The codes with which the recorded server greeted."""
    greetings = [case["observed"]["greeting"] for case in load(scenario.cases)["cases"]]
    return {reply["code"] for greeting in greetings for reply in greeting}


@needs_recordings
@pytest.mark.usefixtures("well_known")
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_recorded_configuration_comes_back(scenario: Scenario, tmp_path: Path) -> None:
    given = write_configuration(scenario, tmp_path / "root")
    before = bring_in(given, old_defaults=scenario.legacy or None)
    out = tmp_path / "out"
    export = partial(call_command, "export_postfix", str(out), "--pending", stdout=StringIO())
    if not lint_rows().is_publishable:
        assert answers(scenario) == {None}  # Postfix did not start with it either
        with pytest.raises(CommandError, match="The rows have errors"):
            export()
        return
    export()
    after = bring_in(out)
    assert sorted(map(str, before - after)) == sorted(map(str, after - before))
    if HAS_POSTFIX:
        is_asked = scenario.legacy and os.geteuid() == 0  # postfix check takes its time
        (accepts if is_asked else understands)(out, given)
