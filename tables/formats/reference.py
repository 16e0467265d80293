"""reference - a reference "type:name" in a parameter becomes an opened table.

SUMMARY      open_reference("unionmap:{hash:a, static:b}", open_named) -> Map open_source("regexp",
             text) -> Map, for the types that are kept as text
RULES        tables that live in the reference itself are opened here: inline, static, fail,
             unionmap, pipemap, randmap, unix, and regexp, pcre, cidr with rules in braces. All
             others are named, and `open_named(type, name)` opens them: the snapshot's objects, or
             files. A prefix proxy: has no meaning here and is dropped.
ERRORS       EntryError for what cannot be opened; open_named's own errors pass
SOURCE       DATABASE_README, postconf(1) -m; Postfix dict_open(3), dict_stream(3)
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tables.errors import EntryError
from tables.formats.base import FailMap, Map
from tables.formats.braces import inner, stripped
from tables.formats.cidr import open_cidr
from tables.formats.inline import open_inline
from tables.formats.pcre import open_pcre
from tables.formats.pipemap import PipeMap
from tables.formats.randmap import RandomMap
from tables.formats.regexp import open_regexp
from tables.formats.static import open_static
from tables.formats.texthash import open_texthash
from tables.formats.unionmap import UnionMap
from tables.formats.unix import open_unix
from tables.itemtext import split_items

OpenNamed = Callable[[str, str], Map]

# Tables in tables; an honest configuration needs two or three.
MOST_NESTING = 20

_PREFIX = re.compile("(?:proxy:|proxywrite:)*([^:]*):(.*)", re.DOTALL)
_WITH_RULES: dict[str, Callable[[str], Map]] = {
    "regexp": open_regexp,
    "pcre": open_pcre,
    "cidr": open_cidr,
}
_OF_TEXT: dict[str, Callable[[str], Map]] = {**_WITH_RULES, "texthash": open_texthash}
_INLINE: dict[str, Callable[[str], Map]] = {
    "inline": open_inline,
    "static": open_static,
    "fail": lambda name: FailMap(f"table fail:{name}"),
    "unix": open_unix,
}


def open_source(table_type: str, text: str) -> Map:
    """Return a table of a type that is kept as text: regexp, pcre, cidr, texthash."""
    if table_type not in _OF_TEXT:
        raise EntryError(f"tables of the type {table_type} have no source text")
    return _OF_TEXT[table_type](text)


def open_reference(reference: str, open_named: OpenNamed, *, depth: int = 0) -> Map:
    """Return the table that "type:name" stands for."""
    found = _PREFIX.fullmatch(reference)
    if found is None or not found[1] or not found[2]:
        raise EntryError(f'expecting "type:name" form instead of "{reference}"')
    if depth > MOST_NESTING:
        raise EntryError("tables are nested too deeply")
    table_type, name = found.groups()
    if table_type in _INLINE:
        return _INLINE[table_type](name)
    if table_type in ("unionmap", "pipemap"):
        members = _members(table_type, name, "type:name")
        if any(":" not in member for member in members):
            raise EntryError(_usage(table_type, name, "type:name"))
        tables = [open_reference(member, open_named, depth=depth + 1) for member in members]
        return UnionMap(tables) if table_type == "unionmap" else PipeMap(tables)
    if table_type == "randmap":
        return RandomMap(_members(table_type, name, "value"))
    if table_type in _WITH_RULES and name.startswith("{"):
        rules = [stripped(rule) for rule in split_items(inner(name))]
        return _WITH_RULES[table_type]("".join(f"{rule}\n" for rule in rules))
    return open_named(table_type, name)


def _members(table_type: str, name: str, what: str) -> tuple[str, ...]:
    """Return the items between the braces of unionmap, pipemap or randmap."""
    try:
        members = split_items(inner(name))
    except EntryError:
        members = ()
    if not members:
        raise EntryError(_usage(table_type, name, what))
    return members


def _usage(table_type: str, name: str, what: str) -> str:
    return f'bad syntax: "{table_type}:{name}"; need "{table_type}:{{{what}...}}"'
