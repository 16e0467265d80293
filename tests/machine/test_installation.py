"""The virtual environment is made once, completely, and by one process at a time."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from machine import installation
from machine.errors import MachineError
from machine.installation import Installation
from machine.linux import descendants

from tests.machine.conftest import ROOT
from tests.machine.rig import is_alive, until

FIND_PYTHON = ROOT / "script" / "machine" / "find-python"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with the machine room and nothing to install, in a path with blanks."""
    clone = tmp_path / "a clone with blanks"
    (clone / "script").mkdir(parents=True)
    (clone / "script" / "machine").symlink_to(ROOT / "script" / "machine")
    (clone / "requirements.txt").write_text("# nothing\n")
    (clone / "requirements-test.txt").write_text("# nothing\n")
    return clone


def set_up_command(clone: Path, *words: str) -> tuple[str, ...]:
    code = (
        "import sys; sys.path[:0] = sys.argv[1].split(':'); from pathlib import Path;"
        "from machine.installation import set_up;"
        "sys.exit(set_up(Path(sys.argv[2]), with_tests='tests' in sys.argv))"
    )
    return (sys.executable, "-I", "-c", code, f"{ROOT / 'script'}:{ROOT}", str(clone), *words)


def start(clone: Path, *words: str, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        set_up_command(clone, *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **variables},
    )


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out.strip(), err


def stamp(clone: Path) -> dict[str, str]:
    return json.loads((clone / ".venv" / "waypost.json").read_text())


def test_it_works(clone: Path) -> None:
    python, said = finish(start(clone))
    assert python == str(clone / ".venv" / "bin" / "python")
    assert "this happens once" in said
    subprocess.run(
        (python, "-I", "-c", "import sys; sys.exit(sys.prefix == sys.base_prefix)"), check=True
    )
    # a second time there is nothing to do, and nothing to say
    made = (clone / ".venv" / "pyvenv.cfg").stat().st_mtime_ns
    assert finish(start(clone)) == (python, "")
    # the tests' list is added to what is there
    finish(start(clone, "tests"))
    assert (clone / ".venv" / "pyvenv.cfg").stat().st_mtime_ns == made
    assert "requirements-test.txt" in stamp(clone)


def test_two_at_once(clone: Path) -> None:
    both = [start(clone), start(clone)]
    said = "".join(finish(process)[1] for process in both)
    assert said.count("this happens once") == 1, said
    assert "waiting for it" in said


def test_what_is_torn_or_changed_is_noticed(clone: Path) -> None:
    finish(start(clone))
    venv = clone / ".venv"
    kept = (venv / "waypost.json").read_text()
    half = json.dumps(stamp(clone) | {"installing": "requirements-test.txt"})
    interpreter = (venv / "bin" / "python").readlink()
    changes = {
        "no stamp": (lambda: (venv / "waypost.json").unlink()),
        "half a stamp": (lambda: (venv / "waypost.json").write_text(kept[:9])),
        "half installed": (lambda: (venv / "waypost.json").write_text(half)),
        "no interpreter": (lambda: (venv / "bin" / "python").unlink()),
        "other list": (lambda: (clone / "requirements.txt").write_text("# other\n")),
    }
    for what, change in changes.items():
        assert Installation(clone).missing(["requirements.txt"]) == [], what
        change()
        assert Installation(clone).missing(["requirements.txt"]) == ["requirements.txt"], what
        (venv / "waypost.json").write_text(kept)
        if what == "no interpreter":
            (venv / "bin" / "python").symlink_to(interpreter)
    # and the last of them is mended
    (venv / "from-before").write_text("")
    python, said = finish(start(clone))
    assert "this happens once" in said
    assert not (venv / "from-before").exists()
    assert os.access(python, os.X_OK)


def test_what_was_there_for_tests_comes_again(clone: Path) -> None:
    finish(start(clone, "tests"))
    (clone / "requirements.txt").write_text("# nothing else\n")
    finish(start(clone))
    assert {"requirements.txt", "requirements-test.txt"} <= set(stamp(clone))


def test_what_was_on_its_way_for_tests_comes_after_a_torn_set_up(clone: Path) -> None:
    (clone / "requirements.txt").write_text("waypost-no-such-package==1\n")
    torn = start(clone, "tests", PIP_NO_INDEX="1", PIP_CONFIG_FILE=os.devnull)
    torn.communicate(timeout=120)
    assert torn.returncode == 1
    (clone / "requirements.txt").write_text("# nothing\n")
    finish(start(clone))
    assert {"requirements.txt", "requirements-test.txt"} <= set(stamp(clone))


@pytest.mark.skipif(os.getuid() != 0, reason="needs root: run script/test as root")
def test_one_of_a_user_whose_python_is_closed_is_left_alone(clone: Path, tmp_path: Path) -> None:
    (clone / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / "closed").mkdir(mode=0o700)
    (clone / ".venv" / "bin" / "python").symlink_to(tmp_path / "closed" / "python")
    code = (
        "import os, sys; sys.path[:0] = sys.argv[1].split(':'); from pathlib import Path;"
        "from machine.installation import Installation; clone = Path(sys.argv[2]);"
        "first = Installation(clone).folder; os.setuid(65534); print(first);"
        "print(Installation(clone).folder)"
    )
    for folder in (clone, *clone.parents):
        if folder.is_relative_to(tmp_path.parents[1]):
            folder.chmod(0o755)
    done = subprocess.run(
        (sys.executable, "-I", "-c", code, f"{ROOT / 'script'}:{ROOT}", str(clone)),
        env={**os.environ, "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=True,
    )
    inside, outside = done.stdout.splitlines()
    assert inside == str(clone / ".venv")
    assert outside.startswith("/nonexistent/.cache/waypost/")


def test_it_is_made_anew_in_another_place(clone: Path) -> None:
    finish(start(clone))
    moved = clone.rename(clone.with_name("moved"))
    python, said = finish(start(moved))
    assert "this happens once" in said
    assert python == str(moved / ".venv" / "bin" / "python")


def test_it_ends_with_the_script_that_began_it(clone: Path) -> None:
    (clone / "requirements.txt").write_text("waypost-no-such-package==1  # for nothing\n")
    command = shlex.join(map(str, set_up_command(clone)))
    with socket.create_server(("127.0.0.1", 0)) as index:  # takes calls, and never answers
        script = subprocess.Popen(
            ("/bin/bash", "-c", f"python=$({command}); echo $python"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={
                **os.environ,
                "PIP_CONFIG_FILE": os.devnull,
                "PIP_INDEX_URL": f"http://127.0.0.1:{index.getsockname()[1]}/",
            },
        )
        index.settimeout(60)
        index.accept()[0].close()
        below = descendants(script.pid)
        assert len(below) >= 2, "set-up and pip"
        script.terminate()
        script.wait(timeout=20)
        until(lambda: not [pid for pid in below if is_alive(pid)], "set-up and pip ended")


def test_a_package_that_cannot_be_had(clone: Path) -> None:
    (clone / "requirements.txt").write_text("waypost-no-such-package==1  # for nothing\n")
    process = start(clone, PIP_NO_INDEX="1", PIP_CONFIG_FILE=os.devnull)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert out == ""
    last = err.splitlines()[-1]
    assert last.startswith("waypost: pip could not install requirements.txt: "), err
    assert "waypost-no-such-package" in last


def _fake(folder: Path, name: str, status: int) -> None:
    """A python that answers the test of find-python with a status."""
    program = folder / name
    program.write_text(
        f'#!/bin/bash\ncase "$3" in *ensurepip*) exit {status};; esac\necho python3.11\n'
    )
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("python", "status", "package"),
    [
        ("own", 1, "python3.11-venv"),
        ("own", 3, "WAYPOST_PYTHON: own is no Python 3.11"),
        ("absent", 1, "WAYPOST_PYTHON: absent is no Python 3.11"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, python: str, status: int, package: str) -> None:
    _fake(tmp_path, "own", status)
    done = subprocess.run(
        ("/bin/bash", FIND_PYTHON),
        env={"PATH": str(tmp_path), "WAYPOST_PYTHON": python},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert package in done.stderr


def test_a_python_is_found() -> None:
    done = subprocess.run((FIND_PYTHON,), capture_output=True, text=True, check=True)
    version = subprocess.run(
        (done.stdout.strip(), "-c", "import sys; print(sys.version_info >= (3, 11))"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert version.stdout.strip() == "True"


def test_a_python_without_ensurepip_installs_with_its_own_pip(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (clone / "requirements.txt").write_text("waypost-no-such-package==1  # for nothing\n")
    monkeypatch.setattr(installation, "find_spec", lambda name: None)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with pytest.raises(MachineError, match="waypost-no-such-package"):  # it is pip that says so
        Installation(clone).ready(with_tests=False)
    assert not (clone / ".venv" / "bin" / "pip").exists()
