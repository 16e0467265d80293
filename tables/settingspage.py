"""settingspage - docs/SETTINGS.md: every parameter, from the registry that forms and engine read.

SUMMARY      settings_page() -> the whole text;  python -m tables.settingspage writes the file
RULES        one section for each group, one line for each parameter: what it is, its default, its
             unit or its words; where the default is another than Postfix's, why
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from tables.parameters import GROUPS, REGISTRY, Parameter, ParameterType

PAGE = Path(__file__).resolve().parents[1] / "docs" / "SETTINGS.md"
_HEAD = """\
# Settings

Every parameter that Waypost knows, with Postfix's names, defaults and units. Set them in the
browser, over REST (`settings`), or import a main.cf. A value may refer to others (`$name`,
`${name?text}`, `${name:text}`, `${{a} == {b} ? {c} : {d}}`). Times are written `30s`, `5m`, `12h`,
`5d`, `1w`; the unit of a bare number is named. A service may have its own value of any parameter
(an override, `-o` in master.cf). Parameters of one transport begin with its name:
`slow_destination_rate_delay` belongs to the transport `slow`.

This page is made from the registry (`python -m tables.settingspage`); a test compares.
"""
_TYPES = {
    ParameterType.BOOL: "yes or no",
    ParameterType.INTEGER: "number",
    ParameterType.SIZE: "bytes",
    ParameterType.TIME: "time",
    ParameterType.TEXT: "text",
    ParameterType.LIST: "list",
    ParameterType.TABLES: "tables",
    ParameterType.RESTRICTIONS: "restrictions",
    ParameterType.CHOICE: "one of",
}
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def settings_page() -> str:
    """The text of docs/SETTINGS.md."""
    return _HEAD + "".join(_section(group) for group in GROUPS)


def _section(group: str) -> str:
    lines = ["", f"## {group}", "", "| parameter | type | default | |", "| --- | --- | --- | --- |"]
    lines += [_line(each) for each in REGISTRY.values() if each.group == group]
    return "\n".join(lines) + "\n"


def _line(parameter: Parameter) -> str:
    default = f"`{parameter.default}`" if parameter.default else ""
    cells = (f"`{parameter.name}`", _kind(parameter), default, " ".join(_notes(parameter)))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _kind(parameter: Parameter) -> str:
    kind = _TYPES[parameter.type]
    if parameter.choices:
        words = ", ".join(choice or "nothing" for choice in parameter.choices)
        return f"{kind} {words}" if parameter.type is ParameterType.CHOICE else f"{kind} of {words}"
    if parameter.type is ParameterType.TIME:
        return f"time ({_UNITS[parameter.unit]})"
    if parameter.type is ParameterType.INTEGER and parameter.unit:
        return f"number of {parameter.unit}"
    return kind


def _notes(parameter: Parameter) -> Iterator[str]:
    yield parameter.help
    if parameter.idle:
        yield parameter.idle
    if parameter.machine:
        yield "Where it is not set, the engine takes what this machine says."
    if parameter.postfix_default is not None and parameter.why:
        default = parameter.postfix_default or "nothing"
        yield f"Postfix's default is `{default}`; here {parameter.why}."


def main() -> int:
    """Write the page."""
    PAGE.write_text(settings_page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
