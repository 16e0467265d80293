"""writing - what was read becomes rows.

SUMMARY      clear_rows(); write_tables, write_lists, write_parameters, write_services
RULES        an imported row takes the place of one with the same name. A table that exists and has
             entries is never touched: the imported one has another name.
             The well-known tables (aliases, virtual, transport) exist in the end, and are named by
             their parameters where the import left those unset: forms put new entries there.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils.translation import ngettext

from panel.models import Entry, Parameter, Restriction, RestrictionList, Service, Table
from panel.services.importer.entries import load_entries
from panel.services.importer.lists import PlannedList
from panel.services.importer.references import Rewriter
from panel.services.importer.report import ImportReport, Level
from panel.services.importer.settings import MAIN, MASTER, PlannedService
from panel.services.importer.sources import Sources
from panel.services.importer.tree import Tree
from tables.mainfile import Setting
from tables.services import DEFAULT_MAXPROC, STANDARD

# kind and name of the table -> the parameter that names it
WELL_KNOWN = {
    "aliases": "alias_maps",
    "virtual": "virtual_alias_maps",
    "transport": "transport_maps",
}
SERVICE_FIELDS = (
    "private",
    "unprivileged",
    "chroot",
    "wakeup",
    "maxproc",
    "command",
    "overrides",
    "enabled",
)


def clear_rows() -> None:
    """Remove all rows of the Postfix layer; hosted domains and mailboxes stay."""
    for model in (RestrictionList, Parameter, Service, Table):
        model.objects.all().delete()


def taken_names() -> set[str]:
    """The names of tables that an import must not use: those with entries."""
    return set(Entry.objects.values_list("table__name", flat=True).distinct())


def write_tables(sources: Sources, tree: Tree, rewriter: Rewriter, report: ImportReport) -> None:
    """Every source as a table; sources that are found on the way as well."""
    for source in sources.pending():
        file = tree.shown(source.path)
        table, _made = Table.objects.update_or_create(
            name=source.name, defaults={"type": source.type, "kind": source.kind}
        )
        count = load_entries(table, source, file, rewriter, report)
        entries = ngettext("%d entry", "%d entries", count) % count
        text = f"{entries} of the table {table.reference}, kind {table.kind}."
        report.add(Level.UNDERSTOOD, file, 0, text)
        report.rows["entries"] += count
    report.rows["tables"] = len(sources)


def write_lists(planned: Mapping[str, PlannedList], report: ImportReport) -> None:
    """Restriction lists and classes, with their members."""
    tables = {table.reference: table for table in Table.objects.all()}
    RestrictionList.objects.filter(name__in=planned).delete()
    Parameter.objects.filter(name__in=planned).delete()
    lists = RestrictionList.objects.bulk_create(
        RestrictionList(name=name, is_class=each.is_class) for name, each in planned.items()
    )
    Restriction.objects.bulk_create(
        Restriction(
            list=row,
            position=position,
            name=call.name,
            table=tables.get(call.argument),
            argument="" if call.argument in tables else call.argument,
            warn_if_reject=call.warn_if_reject,
        )
        for row in lists
        for position, call in enumerate(planned[row.name].calls, start=1)
    )
    report.rows["restriction lists"] = len(planned)


def write_parameters(settings: Mapping[str, Setting], report: ImportReport) -> None:
    """One row for each setting."""
    RestrictionList.objects.filter(name__in=settings).delete()
    rows = []
    for name, setting in settings.items():
        row = Parameter(name=name, value=setting.value)
        if _fits(row, MAIN, setting.line, name, report):
            rows.append(row)
    Parameter.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["name"], update_fields=["value"]
    )
    report.rows["parameters"] = len(rows)
    for kind, name in WELL_KNOWN.items():
        table, _made = Table.objects.get_or_create(
            name=kind, defaults={"type": "hash", "kind": kind}
        )
        if not Parameter.objects.filter(name=name).exists():
            Parameter.objects.create(name=name, value=table.reference)


def write_services(planned: list[PlannedService], report: ImportReport) -> None:
    """One row for each service; of two lines for the same one the last counts."""
    rows = {}
    for each in planned:
        service = each.service
        fields = {
            "private": service.private,
            "unprivileged": service.unprivileged,
            "chroot": service.chroot,
            "wakeup": service.wakeup,
            "maxproc": None if service.maxproc == DEFAULT_MAXPROC else service.maxproc,
            "command": service.command,
            "overrides": dict(service.overrides),
            "enabled": True,
        }
        row = Service(name=service.name, type=service.type, **fields)
        if _fits(row, MASTER, each.line, f"{service.name} {service.type}", report):
            rows[service.name, service.type] = row
    Service.objects.bulk_create(
        rows.values(),
        update_conflicts=True,
        unique_fields=["name", "type"],
        update_fields=SERVICE_FIELDS,
    )
    report.rows["services"] = len(planned)
    if planned:
        _switch_off_others(report)


def _switch_off_others(report: ImportReport) -> None:
    """Standard services run unless a row says that they do not; a master.cf says it by silence."""
    there = set(Service.objects.values_list("name", "type"))
    missing = [service for service in STANDARD if (service.name, service.type) not in there]
    Service.objects.bulk_create(
        Service(
            name=service.name,
            type=service.type,
            command=service.command,
            private=service.private,
            enabled=False,
        )
        for service in missing
    )
    for service in missing:
        label = f"{service.name} {service.type}"
        report.add(Level.UNDERSTOOD, MASTER, 0, f"{label} is not there: it is switched off.")


def _fits(row: Model, file: str, line: int, label: str, report: ImportReport) -> bool:
    """Can the database take it? Otherwise it is left out. What it means is a publish's to judge."""
    try:
        row.clean_fields()
    except ValidationError as error:
        report.add(Level.LEFT_OUT, file, line, f"{label}: {' '.join(error.messages)}")
        return False
    return True
