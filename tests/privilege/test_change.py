"""Giving up root, in processes of their own: what is left of it, and what can be reached."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NET_BIND_SERVICE, DAC_READ_SEARCH = 1 << 10, 1 << 2
BEGINNING = """
import json, os, subprocess, sys
from pathlib import Path
from privilege import Account, become, files_of, keep_files_as, reach
from privilege.change import be_root_again
account = Account("nobody", 65534, 65534)
here = Path(sys.argv[1])
paths = [here / "closed" / "code", Path(sys.prefix), Path(sys.base_prefix), Path.cwd()]
def can(what):
    try:
        return what() or True
    except OSError as error:
        return type(error).__name__
def status():
    lines = Path("/proc/self/status").read_text().splitlines()
    return dict(line.split(":", 1) for line in lines)
"""

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs root: run script/test as root")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with one that is closed to all but root, and code behind it."""
    code = tmp_path / "closed" / "code"
    code.mkdir(parents=True)
    (code / "program").write_text("read me")
    code.chmod(0o755)
    (tmp_path / "closed" / "secret").write_text("")
    (tmp_path / "closed").chmod(0o700)
    tmp_path.chmod(0o755)
    return tmp_path


def run(here: Path, code: str, *wrapper: str) -> Any:
    """What a program of root's prints as JSON."""
    done = subprocess.run(
        (*wrapper, sys.executable, "-c", BEGINNING + code, str(here)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_works(here: Path) -> None:
    found = run(
        here,
        """
reached = reach(account, paths)
become(account, ambient=True)
code = here / "closed" / "code"
child = subprocess.run([sys.executable, "-c", "print(open('/proc/self/status').read())"],
                       capture_output=True, text=True)
print(json.dumps({
    "reached": reached, "ids": [os.getresuid(), os.getresgid(), os.getgroups()],
    "caps": status()["CapEff"], "child": child.stdout,
    "read": (code / "program").read_text(), "beside": os.listdir(here / "closed"),
    "write": can(lambda: (code / "new").write_text("")),
    "shadow": can(lambda: open("/etc/shadow").read()),
    "root": can(lambda: os.setresuid(0, 0, 0)),
}))
""",
    )
    assert found["reached"] is True
    assert found["ids"] == [[65534] * 3, [65534] * 3, [65534]]
    assert int(found["caps"], 16) == NET_BIND_SERVICE
    child = dict(line.split(":", 1) for line in found["child"].splitlines() if ":" in line)
    assert int(child["CapEff"], 16) == NET_BIND_SERVICE
    assert child["NoNewPrivs"].strip() == "1"
    assert found["read"] == "read me"
    assert found["beside"] == ["code"]
    assert found["write"] == "PermissionError"
    assert found["shadow"] == "PermissionError"
    assert found["root"] == "PermissionError"
    assert sorted(os.listdir(here / "closed")) == ["code", "secret"]  # nothing changed outside


def test_where_no_mounts_are_allowed(here: Path) -> None:
    found = run(
        here,
        """
reached = reach(account, paths)
become(account, file_access=not reached, ambient=True)
print(json.dumps({"reached": reached, "caps": status()["CapEff"], "uid": os.getuid(),
                  "access": os.access(here / "closed" / "code" / "program", os.R_OK),
                  "read": (here / "closed" / "code" / "program").read_text(),
                  "write": os.access(here / "closed" / "code" / "program", os.W_OK)}))
""",
        "setpriv",
        "--bounding-set",
        "-sys_admin",
    )
    assert found["reached"] is False
    assert int(found["caps"], 16) == NET_BIND_SERVICE | DAC_READ_SEARCH
    assert (found["uid"], found["read"], found["access"]) == (65534, "read me", True)
    assert found["write"] is False


def test_what_the_mode_forbids_stays_forbidden(here: Path) -> None:
    (here / "closed" / "code").chmod(0o700)
    assert run(here, "print(json.dumps(reach(account, paths)))") is False


def test_root_watches_but_touches_files_as_the_account(here: Path) -> None:
    (here / "theirs").mkdir()
    os.chown(here / "theirs", 65534, 65534)
    (here / "victim").write_text("untouched")
    (here / "theirs" / "log").symlink_to(here / "victim")
    found = run(
        here,
        """
mounts = os.open("/proc/self/ns/mnt", os.O_RDONLY)
reached = reach(account, [*paths, here])
keep_files_as(account)
(here / "theirs" / "new").write_text("")
meanwhile = [can(lambda: open(here / "theirs" / "log", "a").write("x")), os.geteuid(),
             can(lambda: os.listdir("/proc/1/fd"))]
be_root_again(mounts)
print(json.dumps({"reached": reached, "meanwhile": meanwhile,
                  "after": sorted(os.listdir(here / "closed")),
                  "owner": (here / "theirs" / "new").stat().st_uid}))
""",
    )
    assert found["reached"] is True
    assert found["meanwhile"][:2] == ["PermissionError", 0]
    assert found["after"] == ["code", "secret"]
    assert found["owner"] == 65534
    assert (here / "victim").read_text() == "untouched"


def test_the_wish_to_end_with_the_parent_is_kept(here: Path) -> None:
    found = run(
        here,
        """
from privilege import linux
linux.prctl(linux.PR_SET_PDEATHSIG, 15)
keep_files_as(account)
wishes = [linux.death_signal()]
be_root_again()
become(account)
print(json.dumps([*wishes, linux.death_signal()]))
""",
    )
    assert found == [15, 15]


def test_a_command_of_root_s_writes_for_the_owner(here: Path) -> None:
    home = here / "home"
    home.mkdir(mode=0o700)
    os.chown(home, 65534, 65534)
    run(
        here,
        """
home = here / "home"
with files_of(home, [*paths, home]):
    (home / "made").write_text("")
(home / "after").write_text("")
print("null")
""",
    )
    assert (home / "made").stat().st_uid == 65534
    assert (home / "after").stat().st_uid == 0
