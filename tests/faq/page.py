"""page - docs/FAQ.md, taken apart.

SUMMARY      ENTRIES: title -> Entry(requests, claims); ALWAYS: what holds for all of them
RULES        a block marked `api` holds requests: METHOD path {body}, a body may go on in lines that
             begin with blanks. A block marked `engine` holds claims: "question => answer", one a
             line. Blocks belong to the heading above them; those of the first chapter to all.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "FAQ.md"
_BLOCK = re.compile(r"^(#{2,3} [^\n]+)$|^```(api|engine)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_REQUEST = re.compile(r"(PUT|POST|PATCH|DELETE) (\S+)\s*(\{.*\})?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Request:
    """One line of an `api` block."""

    method: str
    path: str
    body: Any


@dataclass(frozen=True, slots=True)
class Claim:
    """One line of an `engine` block."""

    question: str
    answer: str


@dataclass(slots=True)
class Entry:
    """What stands under one heading."""

    requests: list[Request] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)


def read(text: str) -> dict[str, Entry]:
    """Everything by heading, in the order of the page."""
    found: dict[str, Entry] = {}
    entry = Entry()
    for match in _BLOCK.finditer(text):
        heading, kind, block = match.groups()
        if heading:
            entry = found.setdefault(heading.lstrip("# "), Entry())
        elif kind == "api":
            entry.requests += map(_request, re.split(r"\n(?=\S)", block.strip()))
        else:
            entry.claims += map(_claim, block.strip().splitlines())
    return found


def _request(text: str) -> Request:
    match = _REQUEST.fullmatch(text.strip())
    assert match is not None, text
    method, path, body = match.groups()
    return Request(method, path, None if body is None else json.loads(body))


def _claim(line: str) -> Claim:
    question, arrow, answer = line.partition(" => ")
    assert arrow, line
    return Claim(" ".join(question.split()), answer.strip())


def _chapters() -> tuple[Entry, dict[str, Entry]]:
    entries = read(PAGE.read_text(encoding="utf-8"))
    always = entries.pop("How to read the examples")
    return always, {
        title: entry for title, entry in entries.items() if entry.requests or entry.claims
    }


ALWAYS, ENTRIES = _chapters()
