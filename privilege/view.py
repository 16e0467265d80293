"""view - what an account cannot reach because a folder above is closed to it.

SUMMARY      reach(account, paths) -> True when the account can use them now
WHY          a clone in root's home, or a Python that lives there, is behind a folder that only root
             may enter, and nobody else shall
RULES        The process gets mounts of its own, in which such a folder holds nothing but the way to
             these paths; outside of it nothing changes. Modes are not changed: what the account may
             not read by itself it still may not.
             False where the system allows no private mounts (a container without CAP_SYS_ADMIN)
ERRORS       OSError for a path that is not there
SOURCE       mount_namespaces(7), mount(2), tmpfs(5), path_resolution(7)
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from privilege import linux
from privilege.account import Account


def reach(account: Account, paths: Iterable[Path]) -> bool:
    """Have the account reach these folders, in this process and those that it starts."""
    wanted = _outermost(paths)
    by_lid: dict[Path, list[Path]] = {}
    for path in wanted:
        lid = closed_above(path, account)
        if lid is not None:
            by_lid.setdefault(lid, []).append(path)
    if by_lid:
        try:
            linux.new_mounts()
            for lid, behind in by_lid.items():
                _cover(lid, behind)
        except OSError:
            return False
    return all(_can_use(path, account) for path in wanted)


def closed_above(path: Path, account: Account) -> Path | None:
    """The first folder above a path that the account may not pass through."""
    for folder in reversed(path.parents):
        if not account.may_search(folder.stat()):
            return folder
    return None


def _outermost(paths: Iterable[Path]) -> list[Path]:
    """The paths without those that lie below another; without links."""
    found: list[Path] = []
    for path in sorted(Path(os.path.realpath(path)) for path in paths):
        if not any(path.is_relative_to(other) for other in found):
            found.append(path)
    return found


def _cover(lid: Path, behind: Sequence[Path]) -> None:
    """Put an empty folder over `lid`, and in it the paths that were behind it."""
    held = [(path, os.open(path, os.O_PATH | os.O_CLOEXEC)) for path in behind]
    try:
        flags = linux.MS_NOSUID | linux.MS_NODEV
        linux.mount("waypost", str(lid), "tmpfs", flags, "mode=755,size=1m")
        before = os.umask(0o022)
        try:
            for path, descriptor in held:
                path.mkdir(parents=True)
                linux.mount(
                    f"/proc/self/fd/{descriptor}", str(path), "", linux.MS_BIND | linux.MS_REC
                )
        finally:
            os.umask(before)
    finally:
        for _, descriptor in held:
            os.close(descriptor)


def _can_use(path: Path, account: Account) -> bool:
    """Whether the account can list a folder, asked of the system itself."""
    groups = os.getgroups()
    os.setgroups(account.groups or (account.gid,))
    linux.set_file_user(account.uid, account.gid)
    try:
        os.listdir(path)
    except OSError:
        return False
    finally:
        linux.set_file_user(os.geteuid(), os.getegid())
        os.setgroups(groups)
    return True
