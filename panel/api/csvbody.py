"""csvbody - a bulk edit as a table of text, as spreadsheets write it.

SUMMARY      CsvBody parses text/csv into Lines: the same list of operations that JSON gives
RULES        the first line names the fields, and perhaps "op" and "id"; each further line is one
             operation. Comma, semicolon or tab separate, whichever the first line has; quotes hold
             a cell together (RFC 4180). UTF-8, with or without a byte order mark.
             An empty cell is a field that is not given. true and false, numbers, and lists (cells
             with commas, such as destinations) become what JSON has for them; a cell that cannot
             be one stays a text, and the form says so.
             Lines without text are passed over.
ERRORS       400 with the line, 413
SOURCE       RFC 4180
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import IO, Any

from django.utils.translation import gettext as _
from rest_framework.parsers import BaseParser

from panel.api.bodies import read_text
from panel.api.problems import Problem
from panel.constants import VALUE_LENGTH

SEPARATORS = ",;\t"


class Lines(list[dict[str, Any]]):
    """Operations, and for each the line that it ends on."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[int] = []


class CsvBody(BaseParser):
    """text/csv"""

    media_type = "text/csv"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """The operations, as Lines. Raises Problem."""
        context = parser_context or {}
        text = read_text(stream, context, marks=f"{SEPARATORS}\r\n").removeprefix("\ufeff")
        first = text.partition("\n")[0]
        separator = next((each for each in SEPARATORS if each in first), ",")
        csv.field_size_limit(VALUE_LENGTH)
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        try:
            return _operations(rows, context["view"].get_serializer().cell_readers())
        except csv.Error as error:
            raise _wrong(rows.line_num, _("This is not CSV: %s.") % error) from error


def _operations(rows: Any, readers: Mapping[str, Any]) -> Lines:
    names = [name.strip() for name in next(rows, [])]
    if not any(names):
        raise _wrong(1, _("The first line names the fields."))
    seen: set[str] = set()
    for name in names:
        if not name or name in seen:
            raise _wrong(1, _("Each column has a name of its own; %r has not.") % name[:100])
        seen.add(name)
    found = Lines()
    columns = [(name, readers.get(name, str)) for name in names]
    for cells in _filled(rows):
        if len(cells) > len(names):
            raise _wrong(rows.line_num, _("There are more cells than columns."))
        found.append(
            {name: read(cell) for (name, read), cell in zip(columns, cells, strict=False) if cell}
        )
        found.lines.append(rows.line_num)
    return found


def _filled(rows: Any) -> Iterator[list[str]]:
    for cells in rows:
        cells = [cell.strip() for cell in cells]
        if any(cells):
            yield cells


def _wrong(line: int, message: str) -> Problem:
    place = {"line": line, "field": "", "message": message}
    return Problem(400, _("Line %(line)d: %(message)s") % place, errors=[place])
