"""One supervisor per WAYPOST_HOME; a stale list of processes does no harm."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from machine.errors import MachineError
from machine.instance import Instance
from machine.linux import started_at

from tests.machine.rig import Rig, program

STEADY = "import signal; print('up'); signal.pause()"


def test_it_works(tmp_path: Path) -> None:
    with Instance(tmp_path, print) as instance:
        instance.record({"engine": os.getpid()})
        instance.note(state="running")
        facts = json.loads((tmp_path / "serve.json").read_text())
    assert facts["pids"] == {"engine": os.getpid()}
    assert facts["state"] == "running"
    assert not (tmp_path / "serve.json").exists()


def test_its_list_is_private(tmp_path: Path) -> None:
    with Instance(tmp_path, print) as instance:
        instance.record({})
        assert (tmp_path / "serve.json").stat().st_mode & 0o777 == 0o600


def test_it_refuses_a_second(rig: Rig) -> None:
    rig.run(program("engine", STEADY))
    with pytest.raises(MachineError) as caught, Instance(rig.run_folder, print):
        raise AssertionError("the second instance was let in")
    text = str(caught.value)
    assert f"already running in {rig.folder} (process {rig.facts['guard']})" in text
    assert "WAYPOST_HOME" in text


def test_a_process_that_only_has_the_number_is_left_alone(tmp_path: Path) -> None:
    said: list[str] = []
    facts = {
        "boot": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        "pids": {"engine": os.getpid()},
        "started": {"engine": (started_at(os.getpid()) or 0) - 1},
    }
    (tmp_path / "serve.json").write_text(json.dumps(facts))
    with Instance(tmp_path, said.append) as instance:
        instance.clear_remnants()
    assert said == []


def test_a_torn_list_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "serve.json").write_text('{"pids": {"engi')
    with Instance(tmp_path, print) as instance:
        instance.clear_remnants()
