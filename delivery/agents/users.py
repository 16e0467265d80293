"""users - the accounts of this machine, as local delivery needs them.

SUMMARY      SystemUsers().find(name) -> User | None
ERRORS       LookupFailed: the system's databases cannot be asked
SOURCE       getpwnam(3); Postfix mypwd(3)
"""

from __future__ import annotations

import asyncio
import errno
import pwd
from dataclasses import dataclass
from typing import Protocol


class LookupFailed(Exception):
    """It is not known whether there is such a user."""


@dataclass(frozen=True, slots=True)
class User:
    """One account."""

    name: str
    uid: int
    home: str
    shell: str


class Users(Protocol):
    """Who has an account here."""

    async def find(self, name: str) -> User | None:
        """The account of that name. Raises LookupFailed."""


class SystemUsers:
    """The accounts of passwd(5) and whatever else the system asks."""

    async def find(self, name: str) -> User | None:
        """The account of that name. Raises LookupFailed."""
        return await asyncio.to_thread(_find, name)


def _find(name: str) -> User | None:
    if "\0" in name:
        return None
    try:
        entry = pwd.getpwnam(name)
    except (KeyError, UnicodeEncodeError):
        return None
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ESRCH):
            return None
        raise LookupFailed(name) from error
    return User(entry.pw_name, entry.pw_uid, entry.pw_dir, entry.pw_shell)
