"""script/bench works and keeps its contract; its figures decide nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "script"))

from bench_cases.figures import Figure, percentile  # noqa: E402 - found by the line above
from bench_cases.load import find  # noqa: E402


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "script/bench_cases/__main__.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_it_works(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    done = bench("tables", "--quick", "--only", "regexp,cidr,lookup", "--json", str(path))
    assert done.returncode == 0, done.stderr
    figures = json.loads(path.read_text())
    assert {figure["unit"] for figure in figures} == {"us", "ms", "look-ups/s", "s"}
    for figure in figures:
        assert set(figure) - {"peer", "ratio"} == {"case", "unit", "ours"}
        assert figure["ours"] > 0
        assert figure["case"] in done.stdout
        assert ("peer" in figure) == ("ratio" in figure)


@pytest.mark.skipif(
    find("smtp-source") is None, reason="no smtp-source here (Debian: postfix, postfix-cdb)"
)
def test_it_measures_mail(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    done = bench("mail", "--quick", "--only", "maildir,backlog", "--json", str(path))
    assert done.returncode == 0, done.stderr
    figures = json.loads(path.read_text())
    assert {figure["unit"] for figure in figures} == {"messages/s", "ms", "MiB"}
    assert {figure["case"].partition(":")[0] for figure in figures} == {
        "maildir, 4 KiB, 5 sessions",
        "200 deferred, 4 KiB",
    }
    for figure in figures:
        assert figure["ours"] > 0


@pytest.mark.parametrize(("unit", "ratio"), [("s", 2.0), ("MiB", 2.0), ("look-ups/s", 0.5)])
def test_a_ratio_above_one_is_better(unit: str, ratio: float) -> None:
    assert Figure("x", unit, 10.0, 20.0).ratio == ratio
    assert "ratio" not in Figure("x", unit, 10.0).record()


def test_percentiles() -> None:
    assert percentile([3, 1, 2], 50) == 2
    assert percentile(range(1, 101), 95) == 95
    assert percentile([7], 95) == 7


def test_it_rejects_an_unknown_part() -> None:
    done = bench("tables", "--only", "regexp,nonsense")
    assert done.returncode == 2
    assert "no part 'nonsense'; known are regexp" in done.stderr
