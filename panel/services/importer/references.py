"""references - tables and files named inside of values, rewritten.

SUMMARY      rewriter.rewritten(text, kind, where) -> text in which type:/path is type:name
             rewriter.with_files_in_place(text, where): /file patterns replaced by what is in them
RULES        any place counts: lists, braces, conditional expressions, restriction lists. A path may
             hold $names; they are expanded. An item made of $names only is left alone: what it
             refers to is rewritten where it stands.
             A missing source, and a type that Waypost has not, becomes fail:name.
             What an administrator's own parameter says may be the beginning of a reference,
             hash:/etc/postfix/: it is left alone, and looked at where it is completed.
             Files of lists such as mynetworks are read once, here, as Postfix reads them at start.
SOURCE       postconf(5), DATABASE_README; Postfix match_list(3)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.utils.translation import ngettext

from panel.constants import VALUE_LENGTH
from panel.services.importer.report import ImportReport, Level
from panel.services.importer.sources import Sources
from panel.services.importer.tree import Tree, source_lines
from tables import expansion, specs
from tables.errors import EntryError
from tables.formats.lines import logical_lines
from tables.itemtext import split_items
from tables.parameters import find
from tables.parametertext import check_network_item

_OF_FILES = sorted(
    {name for name, known in specs.TYPES.items() if known.has_rows} | specs.UNSUPPORTED.keys()
)
_PART = r"(?:\$\{\w+\}|\$\(\w+\)|[^\s,{}])"
_REFERENCE = re.compile(
    rf"(?<![\w./$:-])(?P<proxy>(?:proxy:|proxywrite:)*)(?P<type>{'|'.join(_OF_FILES)})"
    rf":(?P<path>{_PART}+)"
)
_INCLUDE = re.compile(r":include:([^\s,\"]+)", re.IGNORECASE)
_COMPILED = (".db", ".cdb", ".lmdb", ".dir")
_FILES = 1000  # that the lists of one import name, over and over or not


@dataclass(frozen=True, slots=True)
class Where:
    """Where a value stands, for the report."""

    file: str
    line: int
    name: str  # of the parameter


class Rewriter:
    """Rewrites values; learns the tables on the way."""

    def __init__(
        self,
        tree: Tree,
        sources: Sources,
        report: ImportReport,
        lookup: Callable[[str], str | None],
    ) -> None:
        """`lookup` gives the raw value of a parameter."""
        self._tree = tree
        self._sources = sources
        self._report = report
        self._lookup = lookup
        self._files = 0  # of patterns, read so far

    def rewritten(self, text: str, kind: str, where: Where) -> str:
        """The text with every reference to a file turned into one to a table."""
        if ":" not in text and "$" not in text:
            return text
        text = _REFERENCE.sub(lambda match: self._replace(match, kind, where), text)
        if "$" not in text:
            return text
        for item in dict.fromkeys(split_items(text)):
            if "$" not in item or _is_one_reference(item):
                continue
            match = _REFERENCE.fullmatch(self._expanded(item))
            if match is not None and self._tree.locate(match["path"]) is not None:
                text = _replace_item(text, item, self._replace(match, kind, where))
        return text

    def _expanded(self, text: str) -> str:
        try:
            return expansion.expand(text, self._lookup)
        except EntryError:
            return text  # the check of the value says so

    def _replace(self, match: re.Match[str], kind: str, where: Where) -> str:
        table_type, path = match["type"], self._expanded(match["path"])
        if match["proxy"]:
            self._say(Level.APPROXIMATED, where, f"{match['proxy']} has no meaning here: dropped")
        if table_type in specs.UNSUPPORTED:
            reason = specs.UNSUPPORTED[table_type]
            text = f"tables of the type {table_type} are not supported: {reason}"
            return self._missing(table_type, path, where, text)
        source = self._tree.locate(path)
        is_own = kind == "text" and find(where.name) is None
        if source is None and is_own and self._tree.is_folder(path):
            return match[0]
        if source is None:
            problem = f"{path} is not there"
            if any(self._tree.locate(f"{path}{suffix}") for suffix in _COMPILED):
                problem += ": only what was compiled of it, and that is not read"
            return self._missing(table_type, path, where, problem)
        reference = self._sources.reference(table_type, source, kind)
        written = match[0]
        if reference != written:
            self._say(Level.UNDERSTOOD, where, f"{written} is the table {reference}")
        return reference

    def _missing(self, table_type: str, path: str, where: Where, problem: str) -> str:
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", f"{table_type}_{path}").strip("_")
        self._say(
            Level.LEFT_OUT,
            where,
            f"{problem}. Its look-ups fail, and mail waits, until a table stands in its place "
            f"(fail:{name})",
        )
        return f"fail:{name}"

    def with_files_in_place(self, text: str, where: Where, *, inside: tuple[Path, ...] = ()) -> str:
        """The list with the patterns of the files that it names instead of the names.

        `inside`: the files that led to it.
        """
        if "/" not in text:
            return text
        found: list[str] = []
        for item in split_items(text):
            body = item.lstrip("!")
            negated = (len(item) - len(body)) % 2 == 1
            path = self._expanded(body)
            if not path.startswith("/"):
                found.append(item)
                continue
            found += self._patterns(path, negated, where, inside)
        joined = ", ".join(found)
        if len(joined) > VALUE_LENGTH:
            self._say(Level.LEFT_OUT, where, "its files are too long: make them tables")
            return ""
        return joined

    def _patterns(
        self, path: str, negated: bool, where: Where, inside: tuple[Path, ...]
    ) -> list[str]:
        source = self._tree.locate(path)
        self._files += 1
        if source is None or source in inside or self._files > _FILES:
            problem = f"{path} is not there"
            if source is not None:
                problem = f"{path} names itself" if source in inside else "too many files are named"
            self._say(Level.LEFT_OUT, where, problem)
            return []
        lines = " ".join(line for _, line in logical_lines(source_lines(source)))
        found = split_items(self.with_files_in_place(lines, where, inside=(*inside, source)))
        shown = self._tree.shown(source)
        patterns = ngettext("%d pattern", "%d patterns", len(found)) % len(found)
        self._say(Level.APPROXIMATED, where, f"{patterns} of {shown}, as it is now")
        if not negated:
            return list(found)
        return [item[1:] if item.startswith("!") else f"!{item}" for item in found]

    def without_dead_words(self, text: str, where: Where) -> str:
        """The list of networks without words that no client's name or address can be, as "#"."""
        dead = [item for item in split_items(text) if _is_dead(item)]
        if not dead:
            return text
        self._say(Level.LEFT_OUT, where, f"{' '.join(dead)}: no client can be called so")
        return ", ".join(item for item in split_items(text) if item not in dead)

    def note_includes(self, value: str, where: Where) -> None:
        """Say of the :include: files of an alias that they stay files, and which are missing."""
        for path in _INCLUDE.findall(value):
            text = f"the engine reads {path} at each delivery, from there"
            level = Level.APPROXIMATED
            if self._tree.locate(path) is None:
                text, level = f"{path} is not there: what it should hold bounces", Level.LEFT_OUT
            self._say(level, where, text)

    def _say(self, level: Level, where: Where, text: str) -> None:
        self._report.add(level, where.file, where.line, f"{where.name}: {text}.")


def _is_dead(item: str) -> bool:
    """True for what is neither a network nor a name: Postfix goes on to the next word."""
    if "$" in item or not item.strip("!/.0123456789"):
        return False  # a network that is none stops Postfix, too
    try:
        check_network_item(item)
    except EntryError:
        return item.lstrip("!")[:1] != "[" and ":" not in item
    return False


def _is_one_reference(item: str) -> bool:
    """True for $name or ${...} and nothing else; also for what cannot be read."""
    try:
        pieces = list(expansion.split(item.lstrip("!")))
    except EntryError:
        return True  # the check of the value says so
    return len(pieces) == 1 and pieces[0][0]


def _replace_item(text: str, item: str, replacement: str) -> str:
    pattern = rf"(?<![^\s,]){re.escape(item)}(?![^\s,])"
    return re.sub(pattern, lambda _match: replacement, text)
