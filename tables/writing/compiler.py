"""compiler - rows become the content of a generation, with a report.

SUMMARY      compile_rows(rows, build) -> (Content, Report); the store then finishes the generation
RULES        1. parameters as they are; restriction lists and classes become parameters as Postfix
                text; smtpd_restriction_classes names the classes
             2. tables: every key and value is read with the parsers of its kind, the ones that the
                forms use; indexed types become hash files, ordered ones keep their source text
             3. hosting rows become tables of their own (hosting.py), named by parameters
             4. lint.py looks at the whole
             The same rows give the same content, in whatever order they come. What is wrong is left
             out of the content and told in the report: a report with errors must not be published.
MEMORY       bounded for whatever can be long; parameters, services, lists and ordered tables, which
             the engine holds in memory as well, are held in memory
ERRORS       OSError (disk), and what the rows raise while being read; never for a wrong row
"""

from __future__ import annotations

from tables import restrictions
from tables.errors import EntryError
from tables.manifest import Content, TableContent
from tables.parameters import REGISTRY
from tables.services import Service, check_service
from tables.specs import KINDS, TYPES
from tables.writing import lint
from tables.writing.entries import Seen, compile_indexed, compile_ordered
from tables.writing.hosting import PREFIX, compile_hosting
from tables.writing.report import Report
from tables.writing.rows import RestrictionListRecord, Rows, TableRecord
from tables.writing.store import Build
from tables.writing.subject import Subject

CLASSES = "smtpd_restriction_classes"


def compile_rows(rows: Rows, build: Build) -> tuple[Content, Report]:
    """The content, its objects in the store, and what was found on the way."""
    report = Report()
    seen = Seen()
    origins: dict[str, str] = {}
    parameters = _compile_parameters(rows, origins, report)
    tables: dict[str, TableContent] = {}
    for record in sorted(rows.tables, key=lambda table: (table.name, table.row)):
        if (table := _compile_table(record, tables, seen, build, report)) is not None:
            tables[record.name] = table
    tables.update(compile_hosting(rows, parameters, build, report))
    content = Content(
        parameters=parameters,
        services=_compile_services(rows, report),
        tables=tables,
    )
    lint.run(Subject(rows, content, origins, seen, build), report)
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


def _compile_table(
    record: TableRecord,
    tables: dict[str, TableContent],
    seen: Seen,
    build: Build,
    report: Report,
) -> TableContent | None:
    table_type, kind = TYPES.get(record.type), KINDS.get(record.kind)
    problem = ""
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
    if problem or table_type is None or kind is None:
        report.error("table", record.row, f"Table {record.name} {problem}. Change the table.")
        return None
    compile_one = compile_ordered if table_type.ordered else compile_indexed
    layer = compile_one(record, kind, seen, build, report)
    return TableContent(record.type, record.kind, (layer,))
