"""generations - small generations for the tests of store, snapshot and watch."""

from __future__ import annotations

from pathlib import Path

from tables.formats.cdb import CdbBuilder
from tables.manifest import Content, Layer, Manifest, TableContent
from tables.writing.store import Build, Store


def one_file(table_type: str, kind: str, layer: Layer) -> TableContent:
    """A table in one file."""
    return TableContent(
        type=table_type, kind=kind, count=layer.count, digest=layer.digest, layers=(layer,)
    )


def add_cdb(build: Build, entries: dict[str, str]) -> Layer:
    """A hash table in the store."""

    def write(path: Path) -> int:
        with CdbBuilder(path) as builder:
            for key, value in entries.items():
                builder.add(key, value)
            return builder.finish()

    return build.write_object(write)


def add_content(
    build: Build,
    tables: dict[str, dict[str, str]],
    parameters: dict[str, str] | None = None,
    texts: dict[str, tuple[str, str]] | None = None,
) -> Content:
    """Content with hash tables, and with text tables given as name -> (type, source)."""
    contents = {
        name: one_file("hash", "virtual", add_cdb(build, entries))
        for name, entries in tables.items()
    }
    for name, (kind, source) in (texts or {}).items():
        layer = build.object(source.encode(), count=source.count("\n"))
        contents[name] = one_file(kind, "access", layer)
    return Content(parameters=parameters or {}, tables=contents)


def publish(
    store: Store,
    number: int,
    tables: dict[str, dict[str, str]],
    parameters: dict[str, str] | None = None,
    texts: dict[str, tuple[str, str]] | None = None,
) -> Manifest:
    """Build, finish and switch to a generation."""
    with store.begin() as build:
        content = add_content(build, tables, parameters, texts)
        build.finish(number, number * 10, content)
    return store.switch(number)
