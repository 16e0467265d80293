"""stockpostfix - has the Postfix of this machine look at exported files.

SUMMARY      accepts(directory) raises AssertionError with what it says; needs_postfix, needs_root
RULES        the queue and its own data lie beside the files, so that nothing of the machine is used
SOURCE       postfix(1) check, postconf(1) -n
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
HAS_POSTFIX = shutil.which("postfix", path=PATH) is not None
needs_postfix = pytest.mark.skipif(not HAS_POSTFIX, reason="install postfix")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may run postfix(1)")


def tool(*words: str) -> subprocess.CompletedProcess[str]:
    """Run one of Postfix's commands."""
    return subprocess.run(words, capture_output=True, text=True, check=False, env={"PATH": PATH})


def understands(directory: Path, given: Path | None = None) -> None:
    """postconf(1) reads every line and knows every name, but those it did not know as `given`."""
    done = tool("postconf", "-n", "-c", str(directory))
    assert done.returncode == 0, done.stderr
    before = _unused(tool("postconf", "-n", "-c", str(given)).stderr) if given else set()
    assert _unused(done.stderr) <= before


def _unused(said: str) -> set[str]:
    """Its complaints, without the file that they are about."""
    return {line.partition("warning: ")[2].partition(": ")[2] for line in said.splitlines()}


def accepts(directory: Path, given: Path | None = None) -> None:
    """postfix(1) would start with these files."""
    understands(directory, given)
    for name in ("queue", "data"):
        folder = directory.with_name(f"{directory.name}-{name}")
        folder.mkdir()
        if name == "data":
            shutil.chown(folder, "postfix")
        done = tool("postconf", "-c", str(directory), "-e", f"{name}_directory = {folder}")
        assert (done.returncode, done.stderr) == (0, "")
    done = tool("postfix", "-c", str(directory), "check")
    assert (done.returncode, done.stderr) == (0, "")
