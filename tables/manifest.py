"""manifest - what a generation consists of, and its form on disk.

SUMMARY      Content (parameters, services, tables) + number, time, revision = Manifest <-> bytes
FOR          writing.store and writing.compiler make them, reading.snapshot obeys them
RULES        canonical JSON: UTF-8, sorted keys, no spare space in what is digested. The digest is
             that of the meaning: the same rows give the same one, in however many layers a table
             is kept (decision 0005). A manifest is believed only when format, types, number, digest
             and seal all hold, and only in full: an unknown key is an error, not something to skip.
             The seal is the SHA-256 of all the rest; it tells damage, not malice.
ERRORS       GenerationError with a sentence that says what is wrong
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tables.errors import GenerationError
from tables.objects import DIGEST
from tables.services import Service

FORMAT = 2
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
_CURRENT = re.compile(r"generations/([1-9][0-9]{0,17})")
MAX_BYTES = 64 * 1024 * 1024  # of one manifest; restriction lists and parameters are small
# The members of a service; the names are those of the fields of tables.services.Service.
_SERVICE_FIELDS: dict[str, type] = {
    "name": str,
    "type": str,
    "private": bool,
    "unprivileged": bool,
    "chroot": bool,
    "wakeup": str,
    "maxproc": int,
    "command": str,
    "overrides": dict,
}


@dataclass(frozen=True, slots=True)
class Layer:
    """One object of a table: which file, how long, how many entries (tombstones included)."""

    digest: str
    size: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TableContent:
    """One table of a generation.

    `count` entries can be found in it; `digest` is equal when and only when they are the same
    (writing/tally.py). Layers newest first: what stands in one hides what stands in those below, an
    empty value says that there is no such entry.
    """

    type: str
    kind: str
    count: int
    digest: str
    layers: tuple[Layer, ...]

    @property
    def meaning(self) -> dict[str, Any]:
        """What the table says, however it is kept."""
        return {"type": self.type, "kind": self.kind, "count": self.count, "digest": self.digest}


@dataclass(frozen=True, slots=True)
class Content:
    """All that the engine is told: main.cf, master.cf and the tables."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    services: tuple[Service, ...] = ()
    tables: Mapping[str, TableContent] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 in hex; equal when and only when the engine would behave the same."""
        meanings = {name: table.meaning for name, table in self.tables.items()}
        return _canonical_digest({**content_to_json(self), "tables": meanings})


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One generation. `created` is RFC 3339 UTC; `revision` is the panel's, for its records."""

    number: int
    created: str
    revision: int
    digest: str
    content: Content


def content_to_json(content: Content) -> dict[str, Any]:
    """The content as JSON values."""
    return {
        "parameters": dict(content.parameters),
        "services": [_service_to_json(service) for service in content.services],
        "tables": {name: asdict(table) for name, table in content.tables.items()},
    }


def _service_to_json(service: Service) -> dict[str, Any]:
    values = {name: getattr(service, name) for name in _SERVICE_FIELDS}
    return {**values, "overrides": dict(service.overrides)}


def print_manifest(manifest: Manifest) -> bytes:
    """The bytes of manifest.json."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "number": manifest.number,
        "created": manifest.created,
        "revision": manifest.revision,
        "digest": manifest.digest,
        "content": content_to_json(manifest.content),
    }
    document["seal"] = _canonical_digest(document)
    return (json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1) + "\n").encode()


def _canonical_digest(value: dict[str, Any]) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def generation_path(root: Path, number: int) -> Path:
    """The directory of generation `number` in the store at `root`."""
    return root / "generations" / str(number)


def current_number(root: Path) -> int | None:
    """The number of the generation in force; None when there never was one."""
    try:
        text = os.readlink(root / "current")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise GenerationError(
            f"maps/current cannot be read as a link: {error.strerror}; remove it and publish again"
        ) from error
    match = _CURRENT.fullmatch(text)
    if match is None:
        raise GenerationError(
            f"maps/current points to {text[:80]!r}, which is no generation; "
            "remove it and publish again"
        )
    return int(match[1])


def generation_numbers(root: Path) -> list[int]:
    """The generations that are kept, oldest first."""
    try:
        names = os.listdir(root / "generations")
    except FileNotFoundError:
        return []
    return sorted(int(name) for name in names if _NUMBER.fullmatch(name))


def read_manifest(root: Path, number: int) -> Manifest:
    """The manifest of generation `number`, believed in full or not at all."""
    path = generation_path(root, number) / "manifest.json"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise GenerationError(f"generation {number} does not exist") from error
    except OSError as error:
        raise GenerationError(
            f"the manifest of generation {number} cannot be read: {error.strerror}"
        ) from error
    if len(data) > MAX_BYTES:
        raise GenerationError(f"the manifest of generation {number} is longer than can be right")
    return parse_manifest(data, number=number)


def parse_manifest(data: bytes, *, number: int) -> Manifest:
    """The manifest in `data`, which lay in the directory of generation `number`."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise GenerationError(
            f"the manifest of generation {number} is torn or not JSON; publish again"
        ) from error
    try:
        manifest = _read_manifest(document)
    except _Malformed as error:
        raise GenerationError(
            f"the manifest of generation {number} is malformed ({error}); publish again"
        ) from error
    if manifest.number != number:
        raise GenerationError(
            f"the manifest in the place of generation {number} is that of {manifest.number}"
        )
    seal = document.pop("seal")
    if manifest.content.digest != manifest.digest or _canonical_digest(document) != seal:
        raise GenerationError(
            f"the manifest of generation {number} does not have the digest it states: "
            "it was changed or damaged; publish again"
        )
    return manifest


class _Malformed(Exception):
    """A part of the manifest does not have its form; the text says which."""


def _read_manifest(document: object) -> Manifest:
    if isinstance(document, dict) and document.get("format", FORMAT) != FORMAT:
        raise _Malformed(f"format {document['format']!r} is not {FORMAT}")
    fields = _fields(
        document,
        "manifest",
        format=int,
        number=int,
        created=str,
        revision=int,
        digest=str,
        content=dict,
        seal=str,
    )
    content = _fields(fields["content"], "content", parameters=dict, services=list, tables=dict)
    tables = {name: _read_table(name, table) for name, table in _named(content["tables"], "tables")}
    return Manifest(
        number=fields["number"],
        created=fields["created"],
        revision=fields["revision"],
        digest=fields["digest"],
        content=Content(
            parameters=_texts(content["parameters"], "parameters"),
            services=tuple(_read_service(service) for service in content["services"]),
            tables=tables,
        ),
    )


def _read_table(name: str, value: object) -> TableContent:
    where = f"table {name}"
    fields = _fields(value, where, type=str, kind=str, count=int, digest=str, layers=list)
    layers = []
    for item in fields["layers"]:
        layer = _fields(item, where, digest=str, size=int, count=int)
        if not DIGEST.fullmatch(layer["digest"]) or layer["size"] < 0 or layer["count"] < 0:
            raise _Malformed(f"{where}: a layer has no proper digest, size or count")
        layers.append(Layer(**layer))
    if not layers:
        raise _Malformed(f"{where} has no layers")
    if not DIGEST.fullmatch(fields["digest"]) or fields["count"] < 0:
        raise _Malformed(f"{where} has no proper digest or count")
    return TableContent(**{**fields, "layers": tuple(layers)})


def _read_service(value: object) -> Service:
    fields = _fields(value, "service", **_SERVICE_FIELDS)
    return Service(**{**fields, "overrides": _texts(fields["overrides"], "overrides")})


def _fields(value: object, where: str, **types: type) -> dict[str, Any]:
    """The members of a JSON object, which must be exactly these, of exactly these types."""
    if not isinstance(value, dict):
        raise _Malformed(f"{where} is not an object")
    for name in value.keys() - types.keys():
        raise _Malformed(f"{where} has an unknown member {name!r}")
    for name, kind in types.items():
        if name not in value:
            raise _Malformed(f"{where} has no {name}")
        if type(value[name]) is not kind:  # bool is not a number here
            raise _Malformed(f"{where}: {name} is not of type {kind.__name__}")
    return value


def _named(value: dict[str, object], where: str) -> list[tuple[str, object]]:
    if "" in value:
        raise _Malformed(f"{where} has an empty name")
    return list(value.items())


def _texts(value: dict[str, object], where: str) -> dict[str, str]:
    texts = {}
    for name, text in _named(value, where):
        if not isinstance(text, str):
            raise _Malformed(f"{where}: the value of {name} is not text")
        texts[name] = text
    return texts
