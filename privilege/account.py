"""account - the account that a start by root runs everything as.

SUMMARY      choose_account(home, wanted) -> Account, or None where there is no root to give up
             own(home, account)
RULES        WAYPOST_USER, else the owner of WAYPOST_HOME, else the first of USUAL that exists.
             The mail system's account should own nothing else (postconf(5) mail_owner); "daemon" is
             what systems keep for programs like this one. It is not nobody where that can be
             helped: commands and files named in aliases run as nobody (default_privs), and the
             courier never becomes the mail system's own account.
             An ordinary user is itself, and so is a root whose user namespace knows nobody else.
             own() takes a folder that Waypost made, or an empty one; links are not followed
ERRORS       PrivilegeError: one line that says what to do
SOURCE       user_namespaces(7) uid_map; Debian's base-passwd on daemon and nobody
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = 0
USUAL = ("waypost", "daemon", "nobody")
# one of these is in every folder that Waypost has used
SIGNS = ("run/serve.lock", "run/engine.lock", "maps/generations", "postgres/PG_VERSION")
HARMLESS = frozenset({"lost+found"})
NAMESPACE = Path("/proc/self/uid_map")


class PrivilegeError(Exception):
    """Root cannot be given up the way it was asked for."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user to become."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...] = ()

    def may_search(self, found: os.stat_result) -> bool:
        """Whether it may pass through a directory, as its mode says."""
        if found.st_uid == self.uid:
            return bool(found.st_mode & 0o100)
        if found.st_gid in (self.gid, *self.groups):
            return bool(found.st_mode & 0o010)
        return bool(found.st_mode & 0o001)


def choose_account(home: Path, wanted: str = "") -> Account | None:
    """Whom to become; None: stay who we are. `wanted`: WAYPOST_USER. Raises PrivilegeError."""
    return None if os.geteuid() != ROOT or _is_alone() else _choose(home, wanted)


def own(home: Path, account: Account) -> None:
    """Make WAYPOST_HOME, and what root or the account before has in it, the account's.

    To be called as root while nothing runs in it. Raises PrivilegeError, OSError.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    before = home.lstat().st_uid
    if before == account.uid:
        return
    _check_is_ours(home)
    # by open folders: who had it before may exchange one for a link meanwhile
    for _here, folders, files, folder in os.fwalk(home, topdown=False):
        for name in (*folders, *files):
            state = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if state.st_uid in (ROOT, before):  # not mailboxes with owners of their own
                os.chown(name, account.uid, account.gid, dir_fd=folder, follow_symlinks=False)
    os.lchown(home, account.uid, account.gid)  # last: it tells that all is done


def _check_is_ours(home: Path) -> None:
    names = set(os.listdir(home)) - HARMLESS
    if names and not any((home / sign).exists() for sign in SIGNS):
        raise PrivilegeError(
            f"{home} holds other things ({min(names)}), and WAYPOST_HOME changes its owner when"
            " root starts Waypost: name an empty folder, or run it as an ordinary user"
        )


def _choose(home: Path, wanted: str) -> Account:
    if wanted:
        try:
            entry = pwd.getpwnam(wanted)
        except KeyError:
            raise PrivilegeError(f"WAYPOST_USER: there is no account {wanted!r}") from None
        if entry.pw_uid == ROOT:
            raise PrivilegeError("WAYPOST_USER: mail is not run by root; name another account")
        return _account(entry)
    try:
        found = home.stat()
    except OSError:
        found = None
    if found is not None and found.st_uid != ROOT:
        try:
            return _account(pwd.getpwuid(found.st_uid))
        except KeyError:
            return Account(f"#{found.st_uid}", found.st_uid, found.st_gid)
    try:
        return next(_usual())
    except StopIteration:
        message = "this machine knows no account but root: make one, and name it in WAYPOST_USER"
        raise PrivilegeError(message) from None


def _usual() -> Iterator[Account]:
    for name in USUAL:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != ROOT:
            yield _account(entry)


def _account(entry: pwd.struct_passwd) -> Account:
    groups = os.getgrouplist(entry.pw_name, entry.pw_gid)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, tuple(groups))


def _is_alone() -> bool:
    """Whether this root is an ordinary user outside: its namespace has one number. SOURCE."""
    try:
        ranges = NAMESPACE.read_text().splitlines()
    except OSError:
        return False
    return sum(int(line.split()[2]) for line in ranges) == 1
