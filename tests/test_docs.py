"""Prose agrees with code: tables, types, restrictions, parameters and cited RFCs have a place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tables import keys
from tables.parameters import REGISTRY, ParameterType
from tables.restrictions import RESTRICTIONS
from tables.specs import KINDS, TYPES, UNSUPPORTED

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
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
