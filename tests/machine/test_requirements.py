"""Every package is pinned, explained, and there for the reason given."""

from __future__ import annotations

import re
from importlib import metadata

import pytest
from packaging.requirements import Requirement

from tests.machine.conftest import ROOT

LINE = re.compile(r"(?P<pin>[a-z0-9.-]+==[^\s;]+( ; [^#]+?)?)  # (?P<why>\S.*)")


def read(name: str) -> list[tuple[Requirement, str]]:
    found = []
    for line in (ROOT / name).read_text().splitlines():
        if line and not line.startswith("#"):
            match = LINE.fullmatch(line)
            assert match, f"{name}: not pinned and explained: {line!r}"
            found.append((Requirement(match["pin"]), match["why"]))
    return found


RUNTIME = read("requirements.txt")
ALL = RUNTIME + read("requirements-test.txt")
HERE = [(pin, why) for pin, why in ALL if pin.marker is None or pin.marker.evaluate()]


def test_it_works() -> None:
    names = {pin.name for pin, _ in RUNTIME}
    assert {"django", "celery", "psycopg", "dnspython"} <= names


@pytest.mark.parametrize(("pin", "why"), HERE, ids=lambda value: getattr(value, "name", ""))
def test_what_runs_here_is_what_is_pinned(pin: Requirement, why: str) -> None:
    assert metadata.version(pin.name) in pin.specifier, f"{pin.name} for {why}"


@pytest.mark.parametrize(("pin", "why"), HERE, ids=lambda value: getattr(value, "name", ""))
def test_what_it_is_for_is_true(pin: Requirement, why: str) -> None:
    if why.startswith("for "):
        for name in why.removeprefix("for ").split(", "):
            needed = {
                re.sub(r"[-_.]+", "-", Requirement(text).name).lower()
                for text in metadata.requires(name) or ()
            }
            assert pin.name in needed, f"{name} does not need {pin.name}"


def test_no_package_stands_in_both_lists() -> None:
    keys = [str(pin) for pin, _ in ALL]
    assert sorted(set(keys)) == sorted(keys)
