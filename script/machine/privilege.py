"""privilege - what a start by root runs as: the rooms of privilege/, for programs of this machine.

SUMMARY      choose_privilege(home, root, variables) -> Privilege
             Privilege.enter() in a new process: be the account; .enter_as_root(): be root again
             .settle(): this process, too, touches files only as the account
RULES        An ordinary user: nothing changes. Root: WAYPOST_HOME becomes the account's, and every
             program runs as the account; where the clone or its Python are behind a folder closed
             to the account, they alone become visible there (privilege/view.py). Where the
             system does not allow that the account may read every file: `warning` says so.
ERRORS       MachineError
SOURCE       docs/decisions/0014
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from machine.errors import MachineError
from privilege import (
    Account,
    PrivilegeError,
    become,
    choose_account,
    keep_files_as,
    own,
    reach,
)
from privilege.change import be_root_again

MOUNTS = "/proc/self/ns/mnt"


@dataclass(slots=True)
class Privilege:
    """Whom programs run as. `account` is None for a user who stays who it is."""

    account: Account | None
    paths: tuple[Path, ...]
    warning: str = ""
    _is_settled: bool = False
    _mounts: int | None = None  # of the system, when this process has others

    def enter(self) -> None:
        """Be the account. Raises OSError."""
        if self.account is not None:
            reached = reach(self.account, self.paths)
            become(self.account, file_access=not reached, ambient=True)

    def enter_as_root(self) -> None:
        """Be root, with the mounts of the system: for what gives up root by itself."""
        if self._is_settled:
            be_root_again(self._mounts)

    def settle(self) -> None:
        """Be the account towards files, for the rest of this process. Raises MachineError."""
        account = self.account
        if account is None:
            return
        try:
            mounts = os.open(MOUNTS, os.O_RDONLY | os.O_CLOEXEC)
            reached = reach(account, self.paths)
            if not os.path.samestat(os.fstat(mounts), os.stat(MOUNTS)):
                self._mounts = mounts
            keep_files_as(account, file_access=not reached)
            self._is_settled = True
        except OSError as error:
            raise MachineError(
                f"this root may not become {account.name} ({error}): run this as an ordinary user"
            ) from error
        if not reached:
            self.warning = (
                f"{account.name} may not enter the folders that {self.paths[0]} is in, and this"
                " system allows no private mounts: the programs may read every file of this"
                " machine; move the clone, or run this as an ordinary user"
            )


def choose_privilege(home: Path, root: Path, variables: Mapping[str, str]) -> Privilege:
    """The way programs run here; WAYPOST_HOME is theirs from now on. Raises MachineError."""
    try:
        account = choose_account(home, variables.get("WAYPOST_USER", "").strip())
        if account is not None:
            own(home, account)
    except PrivilegeError as error:
        raise MachineError(str(error)) from error
    except OSError as error:
        raise MachineError(f"{home} cannot be given to another user: {error}") from error
    return Privilege(account, (root, Path(sys.prefix), Path(sys.base_prefix), home))
