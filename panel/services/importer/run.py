"""run - one import, from the directory to the rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from panel.services.importer.lists import plan_lists
from panel.services.importer.references import Rewriter, Where
from panel.services.importer.report import ImportReport
from panel.services.importer.settings import (
    CLASSES,
    PATTERN_LISTS,
    Settings,
    check_settings,
    kind_of_place,
    names_used,
    read_settings,
)
from panel.services.importer.sources import Sources
from panel.services.importer.tree import Tree
from panel.services.importer.writing import (
    clear_rows,
    taken_names,
    write_lists,
    write_parameters,
    write_services,
    write_tables,
)
from tables import specs
from tables.parameters import find
from tables.parametertext import NETWORK_LISTS


def import_directory(
    directory: Path, *, replace: bool = False, old_defaults: bool | None = None
) -> ImportReport:
    """Make rows of a configuration directory, inside of the caller's transaction.

    With `replace` all rows of the Postfix layer go first. `old_defaults`: has the configuration the
    defaults of the year 2000? None: its words tell. Raises ImportProblem and OSError.
    """
    report = ImportReport()
    tree = Tree(directory)
    settings = read_settings(tree, report, old_defaults=old_defaults)
    if replace:
        clear_rows()
    sources = Sources(taken_names())
    rewriter = Rewriter(tree, sources, report, _lookup(tree, settings))
    used = names_used(settings)
    settings.rewrite(lambda *place: _rewritten(rewriter, settings, used, *place))
    lists = plan_lists(settings, report)
    check_settings(settings, lists, report)
    if all(name in lists for name in settings.classes):
        settings.parameters.pop(CLASSES, None)
    parameters = {name: s for name, s in settings.parameters.items() if name not in lists}
    write_tables(sources, tree, rewriter, report)
    write_lists(lists, report)
    write_parameters(parameters, report)
    write_services(settings.services, report)
    return report


def _lookup(tree: Tree, settings: Settings) -> Callable[[str], str | None]:
    def lookup(name: str) -> str | None:
        if name == "config_directory":
            return str(tree.config_directory)
        return settings.source(name)

    return lookup


def _rewritten(
    rewriter: Rewriter,
    settings: Settings,
    used: frozenset[str],
    file: str,
    name: str,
    value: str,
    line: int,
) -> str:
    place = kind_of_place(name, settings.classes)
    if place is None or (find(name) is None and name not in used):
        return value
    where = Where(file, line, name)
    kind = "access" if place == "access" else specs.KIND_OF_PARAMETER.get(name, "text")
    value = rewriter.rewritten(value, kind, where)
    if name in PATTERN_LISTS:
        value = rewriter.with_files_in_place(value, where)
    return rewriter.without_dead_words(value, where) if name in NETWORK_LISTS else value
