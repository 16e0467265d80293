"""identity - who an order is carried out as, and becoming that user for good.

SUMMARY      Accounts(refused, spools).user(name, group) -> Account; become(account)
RULES        only root can become somebody; for an ordinary user everybody is itself
             "#5000" is a number: mailboxes of hosted domains may belong to nobody of this machine;
             numbers below NUMBER_LEAST are accounts of the system and refused
             never root, never group 0, never an account that is refused (the engine's own)
             `spools`: the mail spool directories for which rights beyond the user's are lent
             root has a mailbox and a .forward, nothing else: its file in a spool directory, or one
             in its home that is not hidden; .forward... in its home
             the only supplementary group is the account's own, as in Postfix: what a user may do
             by belonging to further groups, mail may not
             all three user and group numbers are set, and it is checked that they are
ERRORS       NoAccount: there is none, it may not be used, or it cannot be looked up
SOURCE       Postfix set_ugid(3), mypwd(3); setresuid(2)
"""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Collection, Iterable
from dataclasses import dataclass

NUMBER_LEAST = 100  # postconf(5) virtual_minimum_uid


class NoAccount(Exception):
    """This account cannot be used."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user to become; without the right to become anybody it is who we are."""

    name: str
    uid: int
    gid: int


class Accounts:
    """Looks users up, and knows whom the courier must not become."""

    def __init__(
        self,
        *,
        refused: Collection[int] = (),
        spools: Collection[str] = (),
        switches: bool | None = None,
    ) -> None:
        self._refused = frozenset(refused)
        self.spools = frozenset(path.rstrip("/") for path in spools)
        self.switches = os.geteuid() == 0 if switches is None else switches

    def user(self, name: str, group: str = "") -> Account:
        """The account of that name. Raises NoAccount."""
        if not self.switches:
            return Account(name, os.geteuid(), os.getegid())
        if name.startswith("#"):
            return self.checked(Account(name, _number(name), _number(group)))
        try:
            entry = pwd.getpwnam(name)
            gid = grp.getgrnam(group).gr_gid if group else entry.pw_gid
        except (KeyError, ValueError, OSError) as error:
            raise NoAccount(f"unknown user or group: {name[:64]!r} {group[:64]!r}") from error
        return self.checked(Account(name, entry.pw_uid, gid))

    def mailbox_user(self, name: str, group: str, path: str) -> Account:
        """The account whose mailbox `path` is, which may be root's. Raises NoAccount."""
        if not self.switches or name.startswith("#"):
            return self.user(name, group)
        try:
            entry = pwd.getpwnam(name)
        except (KeyError, ValueError, OSError) as error:
            raise NoAccount(f"unknown user: {name[:64]!r}") from error
        if entry.pw_uid != 0:
            return self.user(name, group)
        names = path.rstrip("/").split("/")
        home = entry.pw_dir.rstrip("/")
        is_hidden = any(part.startswith(".") for part in names)
        in_home = bool(home) and path.startswith(f"{home}/") and not is_hidden
        in_spool = names[-1] == name and "/".join(names[:-1]) in self.spools
        if not in_home and not in_spool:
            raise NoAccount(f"{path} is no mailbox of {name}")
        return Account(name, 0, entry.pw_gid)

    def forward_user(self, name: str, paths: Iterable[str]) -> Account:
        """The account whose .forward these files may be, which may be root's. Raises NoAccount."""
        if not self.switches:
            return self.user(name)
        try:
            entry = pwd.getpwnam(name)
        except (KeyError, ValueError, OSError) as error:
            raise NoAccount(f"unknown user: {name[:64]!r}") from error
        if entry.pw_uid != 0:
            return self.user(name)
        start = f"{entry.pw_dir.rstrip('/')}/.forward"
        for path in paths:
            if not path.startswith(start) or "/" in path[len(start) :]:
                raise NoAccount(f"{path} is no .forward of {name}")
        return Account(name, 0, entry.pw_gid)

    def owner(self, uid: int) -> Account | None:
        """The account that a file belongs to; None for root. Raises NoAccount."""
        if uid == 0:
            return None
        try:
            entry = pwd.getpwuid(uid)
        except (KeyError, OSError) as error:
            if not self.switches and uid == os.geteuid():
                return Account("", uid, os.getegid())
            raise NoAccount(f"cannot find a user with the number {uid}") from error
        if not self.switches:
            return Account(entry.pw_name, os.geteuid(), os.getegid())
        return self.checked(Account(entry.pw_name, entry.pw_uid, entry.pw_gid))

    def checked(self, account: Account) -> Account:
        """The same account. Raises NoAccount when it may not be used."""
        if account.uid == 0 or account.gid == 0:
            raise NoAccount(f"{account.name!r} has the rights of root")
        if account.uid in self._refused:
            raise NoAccount(f"{account.name!r} is the account of the mail system")
        return account

    def become(self, account: Account, more_groups: Iterable[int] = ()) -> None:
        """Be this user for good. Raises OSError; nothing must be done then."""
        if not self.switches:
            return
        os.setgroups([account.gid, *more_groups])
        os.setresgid(account.gid, account.gid, account.gid)
        os.setresuid(account.uid, account.uid, account.uid)
        if os.getresuid() != (account.uid,) * 3 or os.getresgid() != (account.gid,) * 3:
            raise PermissionError("cannot give up privileges")

    def borrow(self, account: Account) -> None:
        """Be this user until give_back(): for a mailbox in a directory of root's."""
        os.setgroups([account.gid])
        os.setegid(account.gid)
        os.seteuid(account.uid)

    def give_back(self) -> None:
        """Be root again."""
        os.seteuid(0)
        os.setegid(0)


def _number(text: str) -> int:
    """The number in "#5000". Raises NoAccount."""
    digits = text.removeprefix("#")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 9):
        raise NoAccount(f"no number of a user or group: {text[:64]!r}")
    if int(digits) < NUMBER_LEAST:
        raise NoAccount(f"{text} is a number of the system")
    return int(digits)
