"""manifest: believed in full or not at all."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tables.errors import GenerationError
from tables.manifest import (
    MAX_BYTES,
    Content,
    Layer,
    Manifest,
    TableContent,
    parse_manifest,
    print_manifest,
    read_manifest,
)
from tables.services import Service

CONTENT = Content(
    parameters={"myhostname": "mx.example.com", "mynetworks": "192.0.2.0/24, ö"},
    services=(Service(name="smtp", type="inet", command="smtpd", private=False),),
    tables={
        "virtual": TableContent(
            type="hash",
            kind="virtual",
            count=3,
            digest="b" * 64,
            layers=(Layer("a" * 64, 2100, 3),),
        )
    },
)
MANIFEST = Manifest(
    number=7, created="2026-11-22T13:00:00Z", revision=70, digest=CONTENT.digest, content=CONTENT
)


def test_it_works() -> None:
    data = print_manifest(MANIFEST)
    assert parse_manifest(data, number=7) == MANIFEST
    assert data.endswith(b"}\n")


def test_it_gives_one_digest_to_one_content() -> None:
    turned = Content(
        parameters=dict(reversed(list(CONTENT.parameters.items()))),
        services=CONTENT.services,
        tables=CONTENT.tables,
    )
    assert turned.digest == CONTENT.digest
    assert Content().digest != CONTENT.digest


def test_its_digest_is_that_of_the_meaning() -> None:
    table = CONTENT.tables["virtual"]
    layered = replace(table, layers=(Layer("c" * 64, 2050, 1), *table.layers))
    assert replace(CONTENT, tables={"virtual": layered}).digest == CONTENT.digest
    for other in (replace(table, digest="c" * 64), replace(table, kind="text")):
        assert replace(CONTENT, tables={"virtual": other}).digest != CONTENT.digest


@pytest.mark.parametrize("length", range(0, len(print_manifest(MANIFEST)) - 1, 7))
def test_it_refuses_a_torn_manifest(length: int) -> None:
    with pytest.raises(GenerationError, match="generation 7 is torn or not JSON; publish again"):
        parse_manifest(print_manifest(MANIFEST)[:length], number=7)


@pytest.mark.parametrize("seed", range(50))
def test_it_refuses_a_manifest_with_a_changed_byte(seed: int) -> None:
    data = bytearray(print_manifest(MANIFEST))
    place = random.Random(seed).randrange(len(data) - 1)
    if data[place : place + 1].isspace():
        place = data.index(b"mx.example")
    data[place] ^= 1
    with pytest.raises(GenerationError):
        parse_manifest(bytes(data), number=7)


def test_it_refuses_the_manifest_of_another_generation() -> None:
    with pytest.raises(GenerationError, match="in the place of generation 8 is that of 7"):
        parse_manifest(print_manifest(MANIFEST), number=8)


def change(*path: str | int, value: Any) -> bytes:
    """The manifest with one member put in another way."""
    document = json.loads(print_manifest(MANIFEST))
    target = document
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[]", "manifest is not an object"),
        (b"{}", "manifest has no format"),
        (b"[" * 100_000, "torn or not JSON"),
        (change("format", value=1), "format 1 is not 2"),
        (change("format", value=True), "format"),
        (change("number", value="7"), "number is not of type int"),
        (change("number", value=True), "number is not of type int"),
        (change("surprise", value=1), "unknown member 'surprise'"),
        (change("content", "parameters", "myhostname", value=5), "value of myhostname is not text"),
        (change("content", "parameters", "", value="x"), "empty name"),
        (change("content", "tables", "virtual", value=[]), "table virtual is not an object"),
        (change("content", "tables", "virtual", "layers", value=[]), "no layers"),
        (
            change("content", "tables", "virtual", "layers", 0, "digest", value="../../etc/passwd"),
            "no proper digest",
        ),
        (change("content", "tables", "virtual", "layers", 0, "size", value=-1), "no proper digest"),
        (change("content", "tables", "virtual", "digest", value="b"), "no proper digest"),
        (change("content", "tables", "virtual", "count", value=-1), "no proper digest"),
        (change("content", "tables", "virtual", "layers", 0, "count", value=4), "digest it states"),
        (change("content", "services", 0, "private", value="no"), "private is not of type bool"),
        (change("content", "parameters", "mynetworks", value="0.0.0.0/0"), "digest it states"),
        (change("digest", value="0" * 64), "digest it states"),
        (change("seal", value="0" * 64), "digest it states"),
        (change("revision", value=71), "digest it states"),
    ],
)
def test_it_refuses_what_is_malformed(data: bytes, message: str) -> None:
    with pytest.raises(GenerationError) as caught:
        parse_manifest(data, number=7)
    assert message in str(caught.value)


def test_it_refuses_what_is_not_there_or_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(GenerationError, match="generation 1 does not exist"):
        read_manifest(tmp_path, 1)
    place = tmp_path / "generations" / "1" / "manifest.json"
    place.mkdir(parents=True)
    with pytest.raises(GenerationError, match="cannot be read"):
        read_manifest(tmp_path, 1)


def test_it_reads_no_more_than_can_be_right(tmp_path: Path) -> None:
    place = tmp_path / "generations" / "1" / "manifest.json"
    place.parent.mkdir(parents=True)
    with place.open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    with pytest.raises(GenerationError, match="longer than can be right"):
        read_manifest(tmp_path, 1)
