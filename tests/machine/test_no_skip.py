"""The plugin of .ci/run: a skip fails, and so does a run without a test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.machine.conftest import ROOT

PASSES = "def test_it():\n    assert 1 + 1 == 2\n"
SKIPS = "import pytest\n\n\ndef test_it():\n    pytest.skip('install swaks')\n"
MARKED = "import pytest\n\n\n@pytest.mark.skip(reason='install swaks')\ndef test_it():\n    pass\n"
MODULE = "import pytest\n\npytest.skip('install swaks', allow_module_level=True)\n"
EXPECTED = "import pytest\n\n\n@pytest.mark.xfail\ndef test_it():\n    assert False\n"


def run(folder: Path, files: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "pytest.ini").write_text("[pytest]\n")
    for name, text in files.items():
        (folder / name).write_text(text)
    command = (
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.plugins.no_skip",
        "-p",
        "no:django",
    )
    return subprocess.run(
        (*command, "-c", str(folder / "pytest.ini"), *arguments, str(folder)),
        cwd=ROOT,
        env={n: v for n, v in os.environ.items() if not n.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_works(tmp_path: Path) -> None:
    done = run(tmp_path, {"test_one.py": PASSES})
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


@pytest.mark.parametrize("text", [SKIPS, MARKED, MODULE], ids=["inside", "marked", "module"])
@pytest.mark.parametrize("arguments", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_skip_fails(text: str, arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = run(tmp_path, {"test_one.py": PASSES, "test_two.py": text}, *arguments)
    assert done.returncode in (1, 2), done.stdout
    assert "a skip is a failure here" in done.stdout
    assert "install swaks" in done.stdout


def test_an_expected_failure_is_none(tmp_path: Path) -> None:
    done = run(tmp_path, {"test_one.py": PASSES, "test_two.py": EXPECTED})
    assert done.returncode == 0, done.stdout
    assert "1 passed, 1 xfailed" in done.stdout


@pytest.mark.parametrize("arguments", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_run_without_tests_fails(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = run(tmp_path, {"test_one.py": EXPECTED}, *arguments)
    assert done.returncode != 0, done.stdout
