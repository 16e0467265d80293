"""compiler - rows become the content of a generation, with a report.

SUMMARY      compile_rows(rows, build, previous) -> (Content, Report); the store then finishes the
             generation, and keeps the notes for the next compile
RULES        1. parameters as they are; restriction lists and classes become parameters as Postfix
                text; smtpd_restriction_classes names the classes
             2. tables: every key and value is read with the parsers of its kind, the ones that the
                forms use; indexed types become hash files, ordered ones keep their source text
             3. hosting rows become tables of their own (hosting.py), named by parameters
             4. lint.py looks at the whole
             The same rows give the same content, in whatever order they come. What is wrong is left
             out of the content and told in the report: a report with errors must not be published.
EDITS        with `previous`, and rows that say what was edited since then, tables are taken over or
             extended (entries.py, hosting.py); parameters, services and lists, which are few, are
             compiled anew, and lint looks at all of it. The outcome means what a compile of
             everything means: it has the same digest, and the same report.
MEMORY       bounded for whatever can be long; parameters, services, lists and ordered tables, which
             the engine holds in memory as well, are held in memory; of edits, all keys
ERRORS       OSError (disk), and what the rows raise while being read; never for a wrong row
SOURCE       decision 0005
"""

from __future__ import annotations

from dataclasses import dataclass

from tables import restrictions
from tables.errors import EntryError
from tables.manifest import Content, TableContent
from tables.parameters import REGISTRY
from tables.services import Service, check_service
from tables.specs import KINDS, TYPES
from tables.writing import lint
from tables.writing.aliased import compile_aliased
from tables.writing.entries import Known, compile_entries
from tables.writing.hosting import PREFIX, compile_hosting
from tables.writing.notes import Notes, TableNotes
from tables.writing.report import Report
from tables.writing.rows import RestrictionListRecord, Rows, TableRecord
from tables.writing.store import Build
from tables.writing.subject import Subject

CLASSES = "smtpd_restriction_classes"


@dataclass(frozen=True, slots=True)
class Previous:
    """The generation that the rows' edits were made after; its objects are in the store."""

    content: Content
    notes: Notes

    def table(self, record: TableRecord) -> Known | None:
        """The table as it was, unless it has become another."""
        content, notes = self.content.tables.get(record.name), self.notes.tables.get(record.name)
        if content is None or notes is None:
            return None
        same = (content.type, content.kind) == (record.type, record.kind)
        return Known(content, notes) if same else None

    def hosting(self) -> dict[str, TableContent] | None:
        """The hosting tables as they were."""
        notes = self.notes.tables.get(PREFIX)
        if notes is None or notes.irregular:
            return None
        tables = self.content.tables.items()
        return {name: table for name, table in tables if name.startswith(PREFIX)}


def compile_rows(
    rows: Rows, build: Build, previous: Previous | None = None
) -> tuple[Content, Report]:
    """The content, its objects in the store, and what was found on the way."""
    report = Report()
    notes: dict[str, TableNotes] = {}
    origins: dict[str, str] = {}
    parameters = _compile_parameters(rows, origins, report)
    tables: dict[str, TableContent] = {}
    for record in sorted(rows.tables, key=lambda table: (table.name, table.row)):
        if _is_possible(record, tables, report):
            known = previous.table(record) if previous else None
            table, noted = compile_entries(record, KINDS[record.kind], known, build)
            tables[record.name], notes[record.name] = table, noted
            report.include(noted.findings)
    known_hosting = previous.hosting() if previous else None
    hosting, notes[PREFIX] = compile_hosting(rows, parameters, known_hosting, build)
    report.include(notes[PREFIX].findings)
    tables.update(hosting)
    before = previous.content if previous else None
    tables.update(compile_aliased(rows, parameters, before, build, report))
    report.counts = {name: table.count for name, table in tables.items()}
    content = Content(
        parameters=parameters,
        services=_compile_services(rows, report),
        tables=tables,
    )
    lint.run(Subject(rows, content, origins, notes, build, before), report)
    build.notes = Notes(
        tables=notes,
        whole=previous.notes.whole if previous else build.created,
        edits=previous.notes.edits + 1 if previous else 0,
    )
    return content, report


def _compile_parameters(rows: Rows, origins: dict[str, str], report: Report) -> dict[str, str]:
    """Parameter rows and restriction lists; `origins` learns which row each came from."""
    parameters: dict[str, str] = {}

    def put(name: str, value: str, row: str) -> None:
        if name in parameters:
            report.error(
                "conflict",
                row,
                f"{name} is set twice, here and by {origins[name]}. Remove one of the two.",
            )
            return
        parameters[name], origins[name] = value, row

    lists = sorted(rows.restriction_lists, key=lambda record: (record.name, record.row))
    for record in lists:
        _check_list_name(record, report)
        put(record.name, _list_text(record), record.row)
    classes = [record.name for record in lists if record.is_class]
    if classes:
        put(CLASSES, ", ".join(dict.fromkeys(classes)), "")
    for parameter in sorted(rows.parameters, key=lambda record: (record.name, record.row)):
        put(parameter.name, parameter.value, parameter.row)
    return parameters


def _list_text(record: RestrictionListRecord) -> str:
    return ", ".join(member.text for member in record.members)


def _check_list_name(record: RestrictionListRecord, report: Report) -> None:
    if not record.is_class:
        known = REGISTRY.get(record.name)
        if known is None or not known.stage:
            report.error(
                "restriction-list",
                record.row,
                f"{record.name} is not a restriction list of postconf(5). Give it the name of "
                "one, such as smtpd_recipient_restrictions, or make it a restriction class.",
            )
    elif record.name in REGISTRY or record.name.lower() in restrictions.RESTRICTIONS:
        report.error(
            "restriction-class",
            record.row,
            f"A restriction class cannot be called {record.name}: that is the name of something "
            "else. Choose another name.",
        )


def _compile_services(rows: Rows, report: Report) -> tuple[Service, ...]:
    seen: dict[tuple[str, str], str] = {}
    services = []
    for record in sorted(
        rows.services, key=lambda item: (item.service.name, item.service.type, item.row)
    ):
        key = record.service.name, record.service.type
        if key in seen:
            report.error(
                "conflict",
                record.row,
                f"There are two services {key[0]}/{key[1]}, this one and {seen[key]}. "
                "Remove one of the two.",
            )
            continue
        seen[key] = record.row
        try:
            check_service(record.service)
        except EntryError as error:
            report.error("service", record.row, f"Service {key[0]}/{key[1]}: {error}")
            continue
        services.append(record.service)
    return tuple(services)


def _is_possible(record: TableRecord, tables: dict[str, TableContent], report: Report) -> bool:
    """True when there can be such a table; else the report says why not."""
    table_type, kind = TYPES.get(record.type), KINDS.get(record.kind)
    if table_type is None or table_type.inline:
        problem = f"has the type {record.type}, which cannot have entries of its own"
    elif kind is None:
        problem = f"has the kind {record.kind}, which does not exist"
    elif record.type not in kind.types:
        problem = f"is of the kind {record.kind}, which needs one of {', '.join(kind.types)}"
    elif record.name.startswith(PREFIX):
        problem = f'has a name that begins with "{PREFIX}", which is kept for hosting rows'
    elif record.name in tables:
        problem = "has a name that another table has"
    else:
        return True
    report.error("table", record.row, f"Table {record.name} {problem}. Change the table.")
    return False
