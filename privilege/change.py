"""change - giving up root, for good or towards files only.

SUMMARY      become(account, file_access=..., ambient=...) for good
             keep_files_as(account): what this process makes and opens is the account's; undone by
             be_root_again(mounts)
             with files_of(home): the same for a while, for commands that root calls
RULES        All user and group numbers change, and it is checked that they did. Of root's
             capabilities CAP_NET_BIND_SERVICE stays: ports below 1024. `file_access` keeps
             CAP_DAC_READ_SEARCH too, where reach() found no other way: every file can be read then,
             and only the account's own be written. `ambient`: they survive exec.
             No program started from here on gets more (PR_SET_NO_NEW_PRIVS): su(1) does nothing.
             The wish to end with the parent (PR_SET_PDEATHSIG) is kept.
             A root that only watches over others works on their files as they would themselves: a
             link that they put into their folder leads it nowhere that they could not go.
ERRORS       OSError
SOURCE       capabilities(7), setfsuid(2), prctl(2)
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from privilege import linux
from privilege.account import Account
from privilege.view import reach


def become(account: Account, *, file_access: bool = False, ambient: bool = False) -> None:
    """Be the account, for good."""
    wish = linux.death_signal()
    linux.set_file_user(os.geteuid(), os.getegid())
    linux.prctl(linux.PR_SET_KEEPCAPS, 1)
    if file_access:  # else access(2), which asks for the user alone, would say no
        linux.prctl(linux.PR_SET_SECUREBITS, linux.SECBIT_NO_SETUID_FIXUP)
    os.setgroups(account.groups or (account.gid,))
    os.setresgid(account.gid, account.gid, account.gid)
    os.setresuid(account.uid, account.uid, account.uid)
    if os.getresuid() != (account.uid,) * 3 or os.getresgid() != (account.gid,) * 3:
        raise PermissionError(1, "root could not be given up")
    _, permitted, _ = linux.capabilities()
    kept = _kept(file_access) & permitted
    linux.set_capabilities(kept, kept, kept if ambient else 0)
    for capability in range(32) if ambient else ():
        if kept >> capability & 1:
            linux.prctl(linux.PR_CAP_AMBIENT, linux.PR_CAP_AMBIENT_RAISE, capability)
    linux.prctl(linux.PR_SET_KEEPCAPS, 0)
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    linux.prctl(linux.PR_SET_PDEATHSIG, wish)


def keep_files_as(account: Account, *, file_access: bool = False) -> None:
    """Be the account towards files, and root towards everything else."""
    os.setgroups(account.groups or (account.gid,))
    linux.set_file_user(account.uid, account.gid)
    if file_access:
        linux.add_effective(linux.CAP_DAC_READ_SEARCH)


@contextmanager
def files_of(folder: Path, paths: Iterable[Path] = ()) -> Iterator[None]:
    """Make and open files as the owner of WAYPOST_HOME meanwhile, when root does this.

    `paths`: what is read meanwhile besides; without them, or where they cannot be reached, this
    process goes on reading every file.
    """
    owner = folder.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        yield
        return
    account = Account(f"#{owner.st_uid}", owner.st_uid, owner.st_gid)
    groups, wanted = os.getgroups(), tuple(paths)
    reached = bool(wanted) and reach(account, wanted)
    keep_files_as(account, file_access=not reached)
    try:
        yield
    finally:
        be_root_again()
        os.setgroups(groups)


def be_root_again(mounts: int | None = None) -> None:
    """Undo keep_files_as() and, with the mounts of before (an open /proc/PID/ns/mnt), reach()."""
    linux.set_file_user(os.geteuid(), os.getegid())
    os.setgroups([os.getegid()])
    if mounts is not None:
        linux.enter_mounts(mounts)


def _kept(file_access: bool) -> int:
    return 1 << linux.CAP_NET_BIND_SERVICE | (1 << linux.CAP_DAC_READ_SEARCH if file_access else 0)
