"""entries - the source of a table becomes its entries.

SUMMARY      load_entries(table, source, rewriter, report) -> number of entries
RULES        indexed sources are read as postmap(1) or postalias(1) read them: what these leave out
             is left out, with their words; of equal keys the first counts. A key that could never
             be found is left out as well.
             Sources of patterns keep every line in its order; a line that Postfix would skip is
             kept, and a publish says that it is skipped.
             Tables named inside of access actions become tables, too.
MEMORY       bounded: lines go through COPY into a temporary table, which sorts out equal keys
SOURCE       postmap(1), postalias(1), regexp_table(5), pcre_table(5), cidr_table(5)
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.core.exceptions import ValidationError
from django.db import connection
from django.db.backends.utils import CursorWrapper

from panel.constants import LOOKUP_KEY_BYTES, PATTERN_LENGTH, VALUE_LENGTH
from panel.models import Table
from panel.services.importer.references import Rewriter, Where
from panel.services.importer.report import ImportReport, Level
from panel.services.importer.sources import Source
from panel.services.importer.tree import source_lines
from panel.validators import as_key
from tables.formats.lines import BLANKS, logical_lines
from tables.specs import TYPES
from tables.textform import SourceWarning, read_entries
from tables.writing.plain import ADDRESS_KEYS, PLAIN_ADDRESS

Row = tuple[int, str, str | None, str]  # line, key, folded key, value
_SHOWN = 100  # equal keys that are told one by one
_RULE = re.compile(r"(?:(?:if|endif)\b\s*)?!?\s*", re.IGNORECASE)


def load_entries(
    table: Table, source: Source, file: str, rewriter: Rewriter, report: ImportReport
) -> int:
    """Read the source into the table, which is empty."""
    if TYPES[source.type].ordered:
        rows = _ordered(source, file, report)
    else:
        rows = _indexed(table, source, file, report)
    return _copy(table, _checked(table, rows, file, rewriter, report), file, report)


def _indexed(table: Table, source: Source, file: str, report: ImportReport) -> Iterator[Row]:
    is_plain = PLAIN_ADDRESS.fullmatch if table.kind in ADDRESS_KEYS else lambda key: None
    aliases = "aliases" in source.kinds and source.type != "texthash"
    for found in read_entries(source_lines(source.path), aliases=aliases):
        if isinstance(found, SourceWarning):
            report.add(Level.LEFT_OUT, file, found.line, found.message)
            continue
        try:
            folded = found.key if is_plain(found.key) else as_key(table.kind, found.key)
        except ValidationError as error:
            report.add(Level.LEFT_OUT, file, found.line, f"{found.key}: {error.messages[0]}")
            continue
        yield found.line, found.key, folded, found.value


def _ordered(source: Source, file: str, report: ImportReport) -> Iterator[Row]:
    for line, text in logical_lines(source_lines(source.path)):
        if not text.isascii() and re.search("[\ud800-\udfff]", text):
            report.add(Level.LEFT_OUT, file, line, "The line is not UTF-8.")
            continue
        key, value = split_rule(text, is_pattern=source.type != "cidr")
        yield line, key, None, value


def split_rule(text: str, *, is_pattern: bool) -> tuple[str, str]:
    """(pattern or network with all that belongs to it, result) of one logical line."""
    text = text.strip(BLANKS)
    opening = _RULE.match(text)
    assert opening is not None  # every part of the pattern may be missing
    end = opening.end()
    if is_pattern and end < len(text):
        delimiter, end = text[end], end + 1
        while end < len(text) and text[end] != delimiter:
            end += 2 if text[end] == "\\" else 1
    while end < len(text) and text[end] not in BLANKS:
        end += 1
    return text[:end].rstrip(BLANKS), text[end:].strip(BLANKS)


def _checked(
    table: Table, rows: Iterator[Row], file: str, rewriter: Rewriter, report: ImportReport
) -> Iterator[Row]:
    """The rows that the database takes, with the tables that access actions name."""
    for line, key, folded, value in rows:
        too_long = len(key) > PATTERN_LENGTH or len(value) > VALUE_LENGTH
        if too_long or len((folded or "").encode()) > LOOKUP_KEY_BYTES:
            report.add(Level.LEFT_OUT, file, line, f"{key[:50]!r} ... is too long.")
            continue
        if "\x00" in key or "\x00" in value:
            report.add(Level.LEFT_OUT, file, line, "There is a NUL character in the line.")
            continue
        if table.kind == "access" and ":/" in value:
            value = rewriter.rewritten(value, "access", Where(file, line, key))
        elif table.kind == "aliases" and ":include:" in value.lower():
            rewriter.note_includes(value, Where(file, line, key))
        yield line, key, folded, value


def _copy(table: Table, rows: Iterator[Row], file: str, report: ImportReport) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE imported_entry (number serial, line integer, key text, "
            "folded text, value text) ON COMMIT DROP"
        )
        with cursor.copy("COPY imported_entry (line, key, folded, value) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        if not table.is_ordered:
            _drop_equal_keys(cursor, file, report)
        cursor.execute(
            "INSERT INTO panel_entry (table_id, key, lookup_key, value, position) "
            "SELECT %s, key, folded, value, CASE WHEN folded IS NULL THEN number ELSE 0 END "
            "FROM imported_entry ORDER BY number",
            [table.pk],
        )
        count: int = cursor.rowcount
        cursor.execute("DROP TABLE imported_entry")
    return count


def _drop_equal_keys(cursor: CursorWrapper, file: str, report: ImportReport) -> None:
    cursor.execute(
        "DELETE FROM imported_entry WHERE number IN (SELECT number FROM (SELECT number, "
        "row_number() OVER (PARTITION BY folded ORDER BY number) AS place FROM imported_entry) "
        "AS placed WHERE place > 1) RETURNING line, folded"
    )
    dropped = sorted(cursor.fetchall())
    for line, key in dropped[:_SHOWN]:
        report.add(Level.LEFT_OUT, file, line, f'duplicate entry: "{key}"')
    if len(dropped) > _SHOWN:
        text = f"{len(dropped) - _SHOWN} duplicate entries more"
        report.add(Level.LEFT_OUT, file, dropped[_SHOWN][0], text)
