"""Prose agrees with code: tables, types, restrictions, parameters and cited RFCs have a place."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from delivery.runtime.rules import OF_PROBES
from delivery.runtime.transports import LMTP_TWINS
from tables import keys
from tables.parameters import REGISTRY, ParameterType
from tables.registry.queue import PER_TRANSPORT
from tables.restrictions import RESTRICTIONS
from tables.specs import KINDS, TYPES, UNSUPPORTED

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
NAMES = re.compile(r"`(\w+)`")
CITED = re.compile(r"\bRFC ((?:[0-9]{3,5})(?: [0-9.]+)?(?:(?:,| and) [0-9]{3,5}(?: [0-9.]+)?)*)")
NUMBER = re.compile(r"(?<![0-9.])[0-9]{3,5}(?![0-9.]*\.[0-9])")


def headings(name: str, level: int = 3) -> list[str]:
    """The headings of that level in a page."""
    mark = "#" * level
    text = (DOCS / name).read_text()
    return re.findall(rf"^{mark} `?([^`\n]+?)`?$", text, flags=re.MULTILINE)


def chapter(name: str, title: str) -> str:
    """The text below one heading of level 2."""
    parts = re.split(r"^## (.+)$", (DOCS / name).read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[title]


def sources() -> Iterator[tuple[Path, str]]:
    for room in ("tables", "delivery", "panel", "script"):
        for path in sorted((ROOT / room).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path.relative_to(ROOT), path.read_text()


def test_every_kind_and_type_of_table_has_a_section() -> None:
    assert headings("TABLES.md") == [*KINDS, *TYPES]


def test_every_kind_is_described_in_full() -> None:
    text = chapter("TABLES.md", "Kinds")
    sections = dict(zip(KINDS, re.split(r"^### .+$", text, flags=re.MULTILINE)[1:], strict=True))
    wanted = ("edited under", "keys", "value", "example:", "read by:")
    missing = {kind: [w for w in wanted if w not in each] for kind, each in sections.items()}
    assert {kind: words for kind, words in missing.items() if words} == {}


def test_every_parameter_of_tables_is_in_the_list() -> None:
    text = chapter("TABLES.md", "Parameters that name tables")
    listed = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`[^|]+)\|", text, re.MULTILINE)))
    known = [name for name, each in REGISTRY.items() if each.type is ParameterType.TABLES]
    assert sorted(listed) == sorted(known)


def test_parameters_of_tables_without_effect_are_marked() -> None:
    text = chapter("TABLES.md", "Parameters that name tables")
    rows = re.findall(r"^\| (`[^|]+)\|(.*)$", text, re.MULTILINE)
    marked = {name: "no effect" in rest for first, rest in rows for name in NAMES.findall(first)}
    assert marked == {name: bool(REGISTRY[name].idle) for name in marked}
    assert "not yet" not in (DOCS / "TABLES.md").read_text()


def test_parameters_have_an_effect_or_say_that_they_have_none() -> None:
    """What the engine does not name, itself or through the default of another, must say so."""
    named = set(LMTP_TWINS.values()) | {f"address_verify_{name}" for name in OF_PROBES}
    for path in (ROOT / "delivery").rglob("*.py"):
        named |= words_of(path)
    for suffix, default in PER_TRANSPORT.items():
        if suffix.removeprefix("_") in {name.removeprefix("_") for name in named}:
            named |= {default, *(name for name in REGISTRY if name.endswith(suffix))}
    named |= {name for name, each in REGISTRY.items() if each.stage}
    reached, rest = set[str](), list(named & set(REGISTRY))
    while rest:
        reached.add(name := rest.pop())
        others = re.findall(r"\$[({]*(\w+)", REGISTRY[name].default)
        rest += [each for each in others if each in REGISTRY and each not in reached]
    silent = {name for name, each in REGISTRY.items() if not each.idle}
    assert (silent - reached, reached - silent) == (set(), set())


def words_of(path: Path) -> set[str]:
    """The names and the words of texts in a file of code, comments and docstrings left out."""
    tree = ast.parse(path.read_text())
    texts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                found.add(name)
            case ast.Constant(value=str(text)) if id(node) not in texts:
                found |= set(re.findall(r"\w+", text))
    return found


def test_every_search_order_is_explained() -> None:
    manual = keys.__doc__ or ""
    public = [name for name in vars(keys) if re.match(r"access_|[a-z]\w*_keys", name)]
    assert [name for name in public if name not in manual] == []


def test_no_unsupported_type_has_a_section() -> None:
    assert set(UNSUPPORTED).isdisjoint(headings("TABLES.md"))


def test_every_restriction_has_a_section() -> None:
    assert sorted(headings("RESTRICTIONS.md")) == sorted(RESTRICTIONS)


def test_every_cited_rfc_has_a_line() -> None:
    listed = set(NUMBER.findall(chapter("SPECIFICATIONS.md", "RFCs")))
    cited: dict[str, Path] = {}
    for path, text in sources():
        for citation in CITED.findall(text):
            for number in NUMBER.findall(citation):
                cited.setdefault(number, path)
    missing = {number: str(path) for number, path in cited.items() if number not in listed}
    assert missing == {}


def test_every_page_that_is_linked_exists() -> None:
    broken = []
    for page in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            if not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []
