"""notes - what the next incremental compile has to know of this one.

SUMMARY      Notes <-> bytes; TableNotes: warnings of one table, and what lint asks of its entries
FOR          compiler.py carries them from generation to generation, store.py keeps them beside the
             manifest; no engine reads them
RULES        an edit must not read a whole table again, yet the report has to name what is wrong in
             all of it, and lint has to know which tables its access rules name. So both are noted
             by row, and an edited row's notes are made anew.
             `start` says which rows the content was made from; it is the caller's text.
             Notes that cannot be read are no notes: the next compile is a whole one.
LIMITS       MOST noted rows of each kind in a table, KEPT warnings (report.py); beyond that an
             incremental compile may keep a warning too long or miss one, until the next whole one
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from tables import specs
from tables.specs import Kind
from tables.writing.report import Report

FORMAT = 1
MOST = 10_000


@dataclass(slots=True)
class TableNotes:
    """One table. `irregular`: keys are not what the database keeps unique; see entries.py."""

    findings: Report = field(default_factory=Report)
    references: dict[str, str] = field(default_factory=dict)  # row -> the type:name in its action
    own_aliases: dict[str, str] = field(default_factory=dict)  # row -> virtual key = its value
    irregular: bool = False

    def look_at(self, kind: Kind, key: str, value: str, row: str) -> None:
        """Note what lint wants to know of an entry."""
        if kind.name == "access":
            if ":" in value and len(self.references) < MOST:
                words = [w for w in value.replace(",", " ").split() if specs.is_reference(w)]
                if words:
                    self.references[row] = " ".join(words)
        elif kind.name == "virtual" and key == value.lower() and len(self.own_aliases) < MOST:
            self.own_aliases[row] = key

    def without(self, rows: Collection[str]) -> TableNotes:
        """What remains when these rows are looked at anew."""
        return TableNotes(
            findings=self.findings.without(rows),
            references={r: words for r, words in self.references.items() if r not in rows},
            own_aliases={r: key for r, key in self.own_aliases.items() if r not in rows},
            irregular=self.irregular,
        )


@dataclass(slots=True)
class Notes:
    """One generation."""

    tables: dict[str, TableNotes] = field(default_factory=dict)
    start: str = ""  # the rows that it was made from
    whole: str = ""  # when everything was last compiled; RFC 3339
    edits: int = 0  # incremental compiles since then

    def to_bytes(self) -> bytes:
        """As they are kept. What stops a publish is not kept: it is not published."""
        document = {"format": FORMAT, **asdict(self)}
        return (json.dumps(document, ensure_ascii=False, sort_keys=True) + "\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self | None:
        """The notes; None when they are torn or of another time."""
        try:
            document: dict[str, Any] = json.loads(data)
            if document.pop("format") != FORMAT:
                return None
            tables = {
                name: TableNotes(**{**notes, "findings": Report.from_dict(notes["findings"])})
                for name, notes in document.pop("tables").items()
            }
            return cls(tables=tables, **document)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
