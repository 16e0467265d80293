"""conftest - configuration directories to import."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from panel.services.importer import import_directory
from panel.services.importer.report import ImportReport, Level

Import = Callable[..., ImportReport]


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """An empty configuration directory, <root>/etc/postfix."""
    directory = tmp_path / "root" / "etc" / "postfix"
    directory.mkdir(parents=True)
    return directory


@pytest.fixture
def importing(etc: Path, db: None) -> Import:
    """Imports main.cf with this text beside the files given."""

    def run(main: str, files: dict[str, str] | None = None, **options: object) -> ImportReport:
        for name, text in {"main.cf": main, **(files or {})}.items():
            path = etc / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, errors="surrogateescape")
        options.setdefault("replace", True)
        return import_directory(etc, **options)

    return run


def said(report: ImportReport, level: Level) -> list[str]:
    """The remarks of one level."""
    return [str(line) for line in report.lines if line.level == level]
