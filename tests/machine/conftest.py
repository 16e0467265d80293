"""conftest - the machine room's modules, and a supervisor to try them with.

RULES        no network; every process that a test starts is recorded and looked for afterwards
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from privilege import choose_account

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "script"))

from tests.machine.rig import Rig, is_alive  # noqa: E402 - needs the path above


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A supervisor with programs of the test's choice, in processes of its own."""
    rig = Rig(tmp_path)
    yield rig
    rig.end()
    left = [pid for pid in rig.seen if is_alive(pid)]
    for pid in left:
        os.kill(pid, 9)
    assert left == [], rig.text


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A folder short enough for the path of a Unix socket, of whoever runs the servers."""
    with tempfile.TemporaryDirectory(prefix="w", dir="/tmp") as folder:
        if (account := choose_account(Path(folder))) is not None:
            os.chown(folder, account.uid, account.gid)
        yield Path(folder)


@pytest.fixture
def server_environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
